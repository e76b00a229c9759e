"""The other side of `bench.listeners`: starts them, hears how far all of them are, reads the arrivals in the end."""

from __future__ import annotations

import asyncio
import json
import sys
from statistics import quantiles

from bench.environment import ROOT

LINE = 64 * 1024 * 1024


class Listeners:
    """Browsers in a process of their own. `seen` is the last event that all of them have, at first `after`."""

    def __init__(self, *arguments: str, after: int = 0) -> None:
        self._arguments = arguments
        self.seen = after
        self.arrivals: dict[str, float] = {}
        self._moved = asyncio.Event()
        self._ready = asyncio.Event()
        self._child: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start them; returns when all are in."""
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.listeners",
            *self._arguments,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE,
        )
        self._task = asyncio.create_task(self._hear())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait([ready, self._task], return_when=asyncio.FIRST_COMPLETED)
        assert self._ready.is_set(), "the browsers could not come in"

    async def _hear(self) -> None:
        assert self._child is not None and self._child.stdout is not None  # noqa: PT018
        async for raw in self._child.stdout:
            line = raw.decode().strip()
            if line == "ready":
                self._ready.set()
            elif line.startswith("all "):
                self.seen = int(line[4:])
                self._moved.set()
            elif line.startswith("{"):
                self.arrivals = json.loads(line)
        await self._child.wait()
        self._moved.set()

    def give_up(self) -> None:
        """Nothing more will come: whoever waits is told."""
        if self._task is not None:
            self._task.cancel()
        self._moved.set()

    async def reach(self, seq: int) -> None:
        """Wait until all have everything up to `seq`."""
        assert self._task is not None
        while self.seen < seq:
            assert not self._task.done(), "the browsers have ended"
            self._moved.clear()
            await self._moved.wait()

    async def end(self) -> dict[str, float]:
        """Their arrivals; they end by themselves when they have all they wait for."""
        assert self._task is not None
        await self._task
        assert self.arrivals, "the browsers did not get everything"
        return self.arrivals


def percentiles(values: list[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    cuts = quantiles(values, n=100)
    return {"p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}
