"""How doors carry a verb out: load and decide, hand to the writer, wait; once more after a mismatch."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from django.core.exceptions import SynchronousOnlyOperation
from django.db import InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from clawgroups import commit
from clawgroups.commit import faults
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Conflict

P = ParamSpec("P")
T = TypeVar("T")
_of_thread = threading.local()
# The connection's object that a task was given instead of one of its own (`seldom_reading`).
_spared: ContextVar[BaseDatabaseWrapper | None] = ContextVar("spared", default=None)

TRIES = 3
GIVE_WAY = 1.0  # seconds that a lane gives way to another for, from when that has begun
AT_ONCE = 0.05  # seconds for which it does not: what is over so soon shall keep nobody waiting
EACH = 0.1  # seconds that each read of a lane gives way for at most, where it is to be slowed down


def insisting(tries: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A verb that is decided up to so many times before whoever was quicker keeps it from being done."""

    def marked(verb: Callable[P, T]) -> Callable[P, T]:
        setattr(verb, "tries", tries)  # noqa: B010  (a function has no such attribute, for whoever checks types)
        return verb

    return marked


def perform(verb: Callable[P, Future[Outcome]], *args: P.args, **kwargs: P.kwargs) -> Outcome:
    """Carry `verb` out and wait for the commit. For synchronous doors.

    A change that found its rows moved is decided again from the rows as they are; when that does
    not help either, raises `Conflict` saying who holds them now.
    """
    return begin(verb, *args, **kwargs)()


def begin(verb: Callable[P, Future[Outcome]], *args: P.args, **kwargs: P.kwargs) -> Callable[[], Outcome]:
    """Decide `verb` and hand it to the writer; what is returned waits for the commit, as `perform` does.

    What is begun before the first is waited for is committed together. A verb with `tries` of its own is decided that
    often at most.
    """
    future = verb(*args, **kwargs)

    def finish() -> Outcome:
        outcome = commit.wait(future)
        for _ in range(getattr(verb, "tries", TRIES) - 1):
            if outcome.applied:
                return outcome
            outcome = commit.wait(verb(*args, **kwargs))
        return outcome if outcome.applied else _lost(outcome)

    return finish


def keeping(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `fn`; once more where it met a connection that had died since it was used last.

    Taking a connection from the pool and asking whether it lives would cost as much as a read.
    """
    used = connections["default"].connection is not None
    try:
        return fn(*args, **kwargs)
    except (OperationalError, InterfaceError) as fault:
        connections.close_all()
        if not used or not faults.connection_lost(fault):
            raise
        return keeping(fn, *args, **kwargs)


class Lane:
    """Threads for synchronous reads of asynchronous doors. What waits in one lane keeps nobody in another waiting.

    `gives_way_to`: while something is under way there that is not over at once, nothing begins here, but not for long.
    `each`: every read waits for it anew, so that few go through while the other lane is busy all the time.
    """

    def __init__(self, name: str, threads: int, *, gives_way_to: Lane | None = None, each: bool = False) -> None:
        self._threads, self._first, self._each = threads, gives_way_to, each
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._changed = threading.Condition()
        self._under_way = 0
        self._busy_since = 0.0

    async def read(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a synchronous read in one of the threads, each of which keeps its connection; see `let_go`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: self._run(fn, *args, **kwargs))

    def _run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._first is not None:
            self._first.rest(EACH if self._each else GIVE_WAY, from_its_beginning=not self._each)
        with self.under_way():
            return keeping(fn, *args, **kwargs)

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """While this lasts something is under way here, in a thread of this lane or elsewhere."""
        with self._changed:
            if not self._under_way:
                self._busy_since = time.monotonic()
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def rest(self, seconds: float, *, from_its_beginning: bool = False) -> bool:
        """Wait until nothing is under way; False when that takes longer, or has already."""
        with self._changed:
            now = time.monotonic()
            if from_its_beginning and now < self._busy_since + AT_ONCE:
                return not self._under_way
            begun = self._busy_since if from_its_beginning else now
            left = begun + seconds - now
            return self._changed.wait_for(lambda: not self._under_way, max(left, 0.0))

    async def perform(self, verb: Callable[P, Future[Outcome]], *args: P.args, **kwargs: P.kwargs) -> Outcome:
        """`perform` for asynchronous doors: decides in a thread, then awaits the writer."""
        outcome = Outcome(False)
        for _ in range(TRIES):
            future = await self.read(verb, *args, **kwargs)
            outcome = await commit.outcome(future)
            if outcome.applied:
                return outcome
        return _lost(outcome)

    def let_go(self, patience: float) -> None:
        """Have the threads close their connections; one that is at work after `patience` seconds keeps its own."""
        # Each waits for the others, so that none does it twice.
        all_there = threading.Barrier(self._threads, timeout=patience)

        def close() -> None:
            connections.close_all()
            with contextlib.suppress(threading.BrokenBarrierError):
                all_there.wait()

        wait([self._executor.submit(close) for _ in range(self._threads)], timeout=2 * patience)


# Drawing takes long, and all threads take turns: with three others beside it, it would take four times as long. Also
# where a process of its own draws, pages are late if agents go on asking for more than two cores can do.
_drawing = Lane("drawing", 1)
_single = Lane("door", 4, gives_way_to=_drawing)
_shared = Lane("shared", 2)
_entrance = Lane("entrance", 2)
_tools = Lane("tools", 2, gives_way_to=_single, each=True)
# What one agent or browser asks for.
read_async, perform_async = _single.read, _single.perform
# What agents ask of the workspace's tools, from hundreds of sessions at once: the one link that all of them speak on
# would wait behind it.
read_tool, perform_tool = _tools.read, _tools.perform
# What many wait for, as a room's reader: it goes past the queue of those who all come back at once.
read_shared, perform_shared = _shared.read, _shared.perform
# Whether a browser may come in, and where: when all come back with hundreds of agents, they are there before those have
# read all that they need.
read_arriving = _entrance.read
# What pages show, made once for all of them; and while another process makes it.
draw_async = _drawing.read
while_drawing = _drawing.under_way


def _unused_connection() -> BaseDatabaseWrapper:
    """The one that reads on this thread's loop are refused by.

    Django makes one for each task otherwise, with all that belongs to one, and they are collected late.
    """
    found: BaseDatabaseWrapper | None = getattr(_of_thread, "unused", None)
    if found is None:
        found = _of_thread.unused = connections.create_connection("default")
    return found


async def seldom_reading(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`read_async` for what mostly needs no row: then it isn't worth a thread, which takes turns with all others.

    `fn` has no effect before it reads its last row: it is called anew where it needs one.
    """
    unused = _unused_connection()
    if _spared.get() is not unused:
        connections["default"] = unused
        _spared.set(unused)
    try:
        return fn(*args, **kwargs)
    except SynchronousOnlyOperation:  # That is how Django keeps reads off a loop.
        return await read_async(fn, *args, **kwargs)


def let_go(patience: float = 5.0) -> None:
    """Close the connections of our threads: at the end of a process, or before its database goes."""
    for lane in (_single, _shared, _tools, _entrance, _drawing):
        lane.let_go(patience)


def _lost(outcome: Outcome) -> Outcome:
    mismatch = outcome.mismatch
    assert mismatch is not None
    row = {} if mismatch.row is None else {k: str(v) for k, v in mismatch.row.items() if k != "id"}
    raise Conflict(
        "Somebody else was quicker; look at the present state and try again.",
        model=mismatch.model,
        id=str(mismatch.pk),
        now=row,
    )
