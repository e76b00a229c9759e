"""Whether this process is on its way out, and who wants to hear of it first.

The server begins it on SIGTERM; the layers that hold sockets register a callback and say good-bye in their own
grammar (`draining {"retry_after": seconds}`) before the server closes every socket with 1012.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

Callback = Callable[[float], Awaitable[None]]


class Drain:
    """One process's way out: a flag that never goes back, and the callbacks that are told once."""

    def __init__(self) -> None:
        self._begun = False
        self._callbacks: list[Callback] = []
        self._last: list[Callable[[], object]] = []

    @property
    def begun(self) -> bool:
        return self._begun

    def add(self, callback: Callback) -> None:
        if callback not in self._callbacks:
            self._callbacks.append(callback)

    def add_last(self, callback: Callable[[], object]) -> None:
        if callback not in self._last:
            self._last.append(callback)

    def end(self) -> None:
        """Run what is to happen when no connection is left; one that fails stops no other."""
        for callback in self._last:
            try:
                callback()
            except Exception:
                logger.exception("Something failed while the process ended")

    async def begin(self, *, retry_after: float, timeout: float) -> None:
        """Raise the flag, then give every callback up to `timeout` seconds; one that fails stops no other."""
        if self._begun:
            return
        self._begun = True
        told = [asyncio.ensure_future(callback(retry_after)) for callback in self._callbacks]
        if not told:
            return
        done, late = await asyncio.wait(told, timeout=timeout)
        for future in late:
            future.cancel()
        for future in done:
            if not future.cancelled() and (error := future.exception()) is not None:
                logger.error("A drain callback failed: %s", error, exc_info=error)
        if late:
            logger.warning("%d drain callbacks were not finished after %.0f s", len(late), timeout)


process = Drain()


def is_draining() -> bool:
    """True once this process has been told to stop: it is not ready, and takes no new work."""
    return process.begun


def on_drain(callback: Callback) -> None:
    """Have `await callback(retry_after)` run in the server's loop before the sockets are closed."""
    process.add(callback)


def at_end(callback: Callable[[], object]) -> None:
    """Have `callback()` run once no connection is left, outside the loop: the writer commits what waits."""
    process.add_last(callback)
