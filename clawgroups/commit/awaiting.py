"""Awaiting the writer from an event loop: one wake-up of the loop for all the futures of a batch, not one for each."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from weakref import WeakKeyDictionary, ref

from clawgroups.core.changes import Outcome

Waiter = asyncio.Future[Outcome]
_of_thread = threading.local()


class _Mailbox:
    """What was settled for one loop and has not been told there yet. `put` may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # The dictionary below forgets a loop that nobody else holds.
        self._loop = ref(loop)
        self._lock = threading.Lock()
        self._settled: deque[tuple[Waiter, Future[Outcome]]] = deque()

    def put(self, waiter: Waiter, future: Future[Outcome]) -> None:
        held: dict[_Mailbox, None] | None = getattr(_of_thread, "held", None)
        with self._lock:
            self._settled.append((waiter, future))
            # What is put behind another one is found with it: `_empty` does not end before it has found nothing.
            first = len(self._settled) == 1
        if held is not None:
            held[self] = None
        elif first:
            self.wake()

    def wake(self) -> None:
        """Have the loop look."""
        loop = self._loop()
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        while self._settled:
            waiter, future = self._settled.popleft()
            if waiter.cancelled():
                continue
            if (fault := future.exception()) is not None:
                waiter.set_exception(fault)
            else:
                waiter.set_result(future.result())


_mailboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Mailbox] = WeakKeyDictionary()


@contextmanager
def told_together() -> Iterator[None]:
    """Within it, what this thread settles is told to each loop at the end: otherwise a loop that is quick to look would
    be woken for each."""
    held: dict[_Mailbox, None] = {}
    _of_thread.held = held
    try:
        yield
    finally:
        _of_thread.held = None
        for mailbox in held:
            mailbox.wake()


def outcome(future: Future[Outcome]) -> Waiter:
    """The outcome of a submitted change, to be awaited. Raises what the future raises."""
    loop = asyncio.get_running_loop()
    mailbox = _mailboxes.get(loop)
    if mailbox is None:
        mailbox = _mailboxes[loop] = _Mailbox(loop)
    waiter: Waiter = loop.create_future()
    future.add_done_callback(lambda done: mailbox.put(waiter, done))
    return waiter
