"""Things in order per session, sessions beside each other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable

Job = Callable[[], Awaitable[None]]


class Lanes:
    """Runs jobs one after another within a lane, and the lanes side by side; a lane lives while it has
    jobs.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[Job]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def put(self, lane: Hashable, job: Job) -> None:
        """Run `job` after everything that is in this lane now. A job handles its own failures."""
        if lane in self._waiting:
            self._waiting[lane].append(job)
            return
        self._waiting[lane] = deque([job])
        task = asyncio.create_task(self._run(lane))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settle(self) -> None:
        """Return when nothing is running or waiting any more."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def close(self) -> None:
        """Drop what waits and cancel what runs."""
        for task in (running := set(self._running)):
            task.cancel()
        if running:
            await asyncio.wait(running)
        self._waiting.clear()

    async def _run(self, lane: Hashable) -> None:
        waiting = self._waiting[lane]
        try:
            while waiting:
                await waiting[0]()
                waiting.popleft()
        finally:
            self._waiting.pop(lane, None)
