"""A program that is no ACP agent, or not in that mode: its owner learns so, and not only that the line is cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agents.support import FakeServer, bridged

WORD = {"method": "session/update", "params": {"sessionId": "s", "n": 1}}


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.mark.parametrize("speaks", [True, False])
async def test_an_agent_that_answers_nothing_is_said_so_and_how_to_mend_it(
    server: FakeServer, tmp_path: Path, speaks: bool
) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        running.child.say(WORD if speaks else b"Welcome! Type /help for help.")
        await server.until(lambda: server.frames if speaks else server.connection)
        assert server.connection is not None
        await server.connection.close(4408, "The agent did not answer initialize.")
        await server.until(lambda: len(server.upgrades) == 2)
        assert any("waited in vain: The agent did not answer initialize, trying again" in one for one in running.said)
        assert any("starts its ACP mode" in one for one in running.said) is not speaks
