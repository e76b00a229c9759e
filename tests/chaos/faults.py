"""A line on loopback that can be cut, pulled out, made slow or thin; never anybody else's traffic."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

PIECE = 16 * 1024


class FaultProxy:
    """Carries TCP between a port of its own and a server's. Use it as a context manager.

    `cut` resets what is open and refuses what comes; `pull` lets nothing through and tells nobody, as when a
    cable is pulled out; `heal` ends both, and what was kept back goes on. `delay` is in seconds for each piece,
    `rate` in bytes per second and direction; 0 is without limit.
    """

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname or "127.0.0.1", urlsplit(url).port or 80
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._open: set[asyncio.StreamWriter] = set()
        self._passes = asyncio.Event()
        self._refuses = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay = 0.0
        self.rate = 0
        self.url = ""

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        self._now(self._cut)

    def pull(self) -> None:
        self._now(self._passes.clear)

    def heal(self) -> None:
        self._now(self._heal)

    def _now(self, act: Callable[[], None]) -> None:
        async def done() -> None:
            act()

        asyncio.run_coroutine_threadsafe(done(), self._loop).result(10)

    def _cut(self) -> None:
        self._refuses = True
        for writer in self._open:
            writer.transport.abort()

    def _heal(self) -> None:
        self._refuses = False
        self._passes.set()

    # In the loop

    async def _listen(self) -> str:
        self._passes.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _end(self) -> None:
        self._server.close()
        self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            await self._passes.wait()
            if self._refuses:
                writer.transport.abort()
                return
            back, far = await asyncio.open_connection(self._host, self._port)
            self._open.add(far)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far))
                both.create_task(self._pump(back, writer))
        except* OSError:
            pass
        finally:
            for end in (writer, far):
                if end is not None:
                    self._open.discard(end)
                    end.close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(min(PIECE, self.rate) if self.rate else PIECE):
            await self._passes.wait()
            if pause := self.delay + (len(piece) / self.rate if self.rate else 0):
                await asyncio.sleep(pause)
            target.write(piece)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()


@contextlib.contextmanager
def flapping(proxy: FaultProxy, dice: random.Random, *, up: float, down: float) -> Iterator[None]:
    """Meanwhile a line that is cut again and again: up and down for about so many seconds each."""
    over = threading.Event()

    def flap() -> None:
        while not over.wait(up * dice.uniform(0.5, 1.5)):
            proxy.cut()
            over.wait(down * dice.uniform(0.5, 1.5))
            proxy.heal()

    thread = threading.Thread(target=flap, name="flapping line", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
        proxy.heal()
