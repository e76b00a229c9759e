"""A server that is there and reads nothing any more, as one that was stopped: it is noticed, and holds no end up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.connector import waking, wire
from tests.agents.support import PATIENCE, FakeServer, Frame, Running, bridged

SOON = 5.0


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


def update(number: int) -> Frame:
    return {"method": "session/update", "params": {"sessionId": "s", "n": number, "x": "y" * 200_000}}


async def stuck(server: FakeServer, running: Running) -> None:
    """The server reads no more, and everything between it and the connector is full."""
    await server.until(lambda: running.children)
    assert server.connection is not None
    server.connection.transport.pause_reading()
    for number in range(60):
        running.child.say(update(number))
    async with asyncio.timeout(PATIENCE):
        while (line := running.bridge._socket) is None or not line.paused:
            await asyncio.sleep(0.005)  # A full buffer gives no signal.


async def test_the_end_does_not_wait_for_a_server_that_reads_nothing(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await stuck(server, running)
        running.bridge.stop()
        async with asyncio.timeout(2 * wire.CLOSING + SOON):
            assert await running.task == 0


async def test_an_agent_that_ends_meanwhile_does_not_wait_for_it_either(server: FakeServer, tmp_path: Path) -> None:
    async with bridged(server, tmp_path) as running:
        await stuck(server, running)
        running.child.end(7)
        async with asyncio.timeout(2 * wire.CLOSING + SOON):
            assert await running.task == 7


async def test_a_server_that_reads_nothing_is_noticed_and_tried_anew(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "PING", 0.05)
    monkeypatch.setattr(waking, "PONG", 0.2)
    async with bridged(server, tmp_path) as running:
        await stuck(server, running)
        await server.until(lambda: len(server.upgrades) == 2)
        await server.until(lambda: len(server.frames) == 60)
        assert [frame["params"]["n"] for frame in server.frames] == list(range(60))
