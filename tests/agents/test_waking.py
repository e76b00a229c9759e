"""A machine wakes up: a line that died meanwhile is noticed at once, one that lives is left alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.connector import waking
from tests.agents.support import PATIENCE, FakeServer, bridged
from tests.chaos.faults import FaultProxy


class Clock:
    """The clock on the wall, which goes on while the machine sleeps; `looked` is set whenever somebody looks."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.looked = asyncio.Event()

    def __call__(self) -> float:
        self.looked.set()
        return time.time() + self.slept

    async def looked_at(self, times: int) -> None:
        async with asyncio.timeout(PATIENCE):
            for _ in range(times):
                self.looked.clear()
                await self.looked.wait()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waking, "time", made)
    monkeypatch.setattr(waking, "TICK", 0.02)
    monkeypatch.setattr(waking, "ANSWER", 0.5)
    return made


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


async def test_a_line_that_died_in_its_sleep_is_given_up_at_once(
    server: FakeServer, tmp_path: Path, clock: Clock
) -> None:
    with FaultProxy(server.url) as line:
        async with bridged(server, tmp_path, url=line.url) as running:
            await server.until(lambda: running.children)
            await clock.looked_at(2)
            # What it was connected by is gone, and nobody says so.
            line.pull()
            clock.slept += 3600
            async with asyncio.timeout(PATIENCE):
                while not any("trying again" in said for said in running.said):
                    await asyncio.sleep(0.01)  # What is said to a person wakes nobody here.
            line.heal()
            await server.until(lambda: len(server.upgrades) > 1)
            running.child.say({"method": "session/update", "params": {"n": 1}})
            await server.until(lambda: server.frames)
            assert len(running.children) == 1


async def test_a_line_that_lives_is_kept_however_long_it_slept(
    server: FakeServer, tmp_path: Path, clock: Clock
) -> None:
    async with bridged(server, tmp_path) as running:
        await server.until(lambda: running.children)
        for _ in range(3):
            await clock.looked_at(2)
            clock.slept += 3600
        await clock.looked_at(3)
        running.child.say({"method": "session/update", "params": {"n": 1}})
        await server.until(lambda: server.frames)
        assert len(server.upgrades) == 1
