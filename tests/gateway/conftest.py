"""What the tests of agents' sockets share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from clawgroups.gateway import acp
from tests.conformance.wire import every_frame_is_acp
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
