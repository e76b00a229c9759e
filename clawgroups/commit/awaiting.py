"""Awaiting the writer from an event loop: one wake-up of the loop for all the futures of a batch, not one for each."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from weakref import WeakKeyDictionary, ref

from clawgroups.core.changes import Outcome

Waiter = asyncio.Future[Outcome]


class _Mailbox:
    """What was settled for one loop and has not been told there yet. `put` may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # The dictionary below forgets a loop that nobody else holds.
        self._loop = ref(loop)
        self._lock = threading.Lock()
        self._settled: deque[tuple[Waiter, Future[Outcome]]] = deque()

    def put(self, waiter: Waiter, future: Future[Outcome]) -> None:
        with self._lock:
            self._settled.append((waiter, future))
            # What is put behind another one is found with it: `_empty` does not end before it has found nothing.
            first = len(self._settled) == 1
        loop = self._loop()
        if first and loop is not None and not loop.is_closed():
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


def outcome(future: Future[Outcome]) -> Waiter:
    """The outcome of a submitted change, to be awaited. Raises what the future raises."""
    loop = asyncio.get_running_loop()
    mailbox = _mailboxes.get(loop)
    if mailbox is None:
        mailbox = _mailboxes[loop] = _Mailbox(loop)
    waiter: Waiter = loop.create_future()
    future.add_done_callback(lambda done: mailbox.put(waiter, done))
    return waiter
