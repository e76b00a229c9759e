"""What the tests of agents' sockets share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.conf import settings

from agents.models import Connection
from clawgroups.gateway import acp
from clawgroups.gateway.dialler import Dialler
from tests.conformance.wire import every_frame_is_acp
from tests.conftest import Team
from tests.gateway.far import Make, Names
from tests.gateway.support import KILLED

__all__ = ["every_frame_is_acp"]


@pytest.fixture(autouse=True)
async def burial(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The remains of killed sockets go without doing anything."""
    yield

    async def nothing(_link: object) -> None:
        return None

    monkeypatch.setattr(acp, "_close", nothing)
    for task in KILLED:
        task.cancel()
    await asyncio.gather(*KILLED, return_exceptions=True)
    KILLED.clear()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback without TLS is allowed, and everything goes ten times as fast."""
    for name, value in (("DIAL_PRIVATE", True), ("DIAL_PLAIN", True), ("CLOCK_SCALE", 0.1)):
        monkeypatch.setattr(settings, name, value, raising=False)


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Processes that dial, by name; all of them rest at the end."""
    made: list[Dialler] = []

    def one(process: str = "one", **how: Any) -> Dialler:
        made.append(Dialler(process=process, **{"resolve": Names(), **how}))
        made[-1].serve()
        return made[-1]

    yield one
    for each in made:
        await each.rest()


@pytest.fixture
def nobody_here(team: Team) -> Team:
    """The cast's agents have gone: their keys' connections are closed."""
    Connection.objects.update(closed_at=team.workspace.created_at)
    return team
