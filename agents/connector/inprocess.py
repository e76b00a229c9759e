"""An agent that lives in this process: the same bridge, no subprocess."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable

from agents.connector.child import MAX_LINE, STDERR_TAIL, split_lines
from agents.connector.spool import Line, pieces

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def stream_pair() -> tuple[Streams, Streams]:
    """Two ends of one byte pipe inside this process, each a reader and a writer with back-pressure."""
    near, far = socket.socketpair()
    return (
        await asyncio.open_connection(sock=near, limit=MAX_LINE),
        await asyncio.open_connection(sock=far, limit=MAX_LINE),
    )


class InProcessChild:
    """A `Child` made of a coroutine `run(reader, writer)` that speaks ACP, one message a line, until end of
    input.
    """

    def __init__(self, near: Streams, far: Streams, work: Awaitable[None], *, grace: float) -> None:
        self._reader, self._writer = near
        self._far = far
        self._grace = grace
        self._tail = ""
        self._task = asyncio.ensure_future(self._work(work))

    @classmethod
    async def start(
        cls,
        run: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        *,
        grace: float = 5.0,
    ) -> InProcessChild:
        """Start `run` on one end of a fresh pipe; the child's lines are what it writes there."""
        near, far = await stream_pair()
        return cls(near, far, run(*far), grace=grace)

    async def lines(self) -> AsyncIterator[Line]:
        """See `Child.lines`."""
        async for line in split_lines(self._reader):
            yield line

    async def write(self, line: Line) -> None:
        """See `Child.write`."""
        if self._writer.is_closing():
            raise ConnectionError("the agent has ended")
        for piece in pieces(line):
            self._writer.write(piece)
            await self._writer.drain()
        self._writer.write(b"\n")
        await self._writer.drain()

    async def close(self) -> int:
        """End of input, then cancellation after the grace time; 0 if the coroutine ended by itself."""
        if not self._writer.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                self._writer.write_eof()
        _, waiting = await asyncio.wait([self._task], timeout=self._grace)
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting, timeout=self._grace)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        return self._task.result() if self._task.done() and not self._task.cancelled() else 1

    def stderr_tail(self) -> str:
        """See `Child.stderr_tail`: here, the traceback that ended the coroutine."""
        return self._tail

    async def _work(self, work: Awaitable[None]) -> int:
        try:
            await work
        except Exception:  # noqa: BLE001
            # A crashed agent must not take its neighbours in this process with it; the bridge reports the
            # end.
            self._tail = traceback.format_exc()[-STDERR_TAIL:]
            return 1
        finally:
            self._far[1].close()
        return 0
