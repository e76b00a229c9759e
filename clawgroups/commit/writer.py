"""One thread per process that commits whatever is waiting, as one transaction."""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue  # noqa: TID251  (never waited on with a timeout here)

from django.db import IntegrityError, InterfaceError, OperationalError, connections

from clawgroups import bus
from clawgroups.commit import faults
from clawgroups.commit.awaiting import told_together
from clawgroups.commit.batch import Answer, Applied, InDoubt, apply, was_committed
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import Busy, OutcomeUnknown
from clawgroups.core.events import WAKING

log = logging.getLogger(__name__)

MAX_BATCH = 500
MAX_WAITING = 4 * MAX_BATCH
# What comes as an answer to the last batch shall go with one commit, not with many: seconds that a batch
# stays open, and that it waits for another change.
LINGER = 0.005
PAUSE = 0.0005
MANY = 32  # changes that wait are worth a commit: whatever else comes goes with the next
RETRY_FOR = 20.0  # seconds a batch is repeated while the database is away or deadlocks


@dataclass(slots=True)
class Waiting:
    change: Change
    future: Future[Outcome]

    def __post_init__(self) -> None:
        # A waiter that goes away must not cancel what may be committed already: the other futures
        # of the batch would be lost with it.
        self.future.set_running_or_notify_cancel()


class Writer:
    """Takes changes from any thread; `submit` never waits.

    Started at the first submit of a process, never before a fork (the pid is checked). `drain`
    commits what waits, then refuses.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        os.register_at_fork(after_in_child=self._begin_anew)

    def submit(self, change: Change) -> Future[Outcome]:
        """Hand a change over. Raises `Busy` when too many wait or the process shuts down."""
        with self._lock:
            if self._closed:
                raise Busy("The server is shutting down; try again in a moment.")
            if self._pid != os.getpid() or self._thread is None or not self._thread.is_alive():
                self._start()
            if self._queue.qsize() >= MAX_WAITING:
                raise Busy("Too much is being written at once; try again in a moment.")
            waiting = Waiting(change, Future())
            self._queue.put(waiting)
        return waiting.future

    def is_open(self) -> bool:
        """Whether changes are taken. A writer that has not been needed yet is open."""
        with self._lock:
            mine = self._pid == os.getpid()
            return not self._closed and not (mine and self._thread is not None and not self._thread.is_alive())

    def where(self) -> str:
        """Where its thread is at this moment, for the log of who waits for it in vain."""
        thread = self._thread
        frame = None if thread is None or thread.ident is None else sys._current_frames().get(thread.ident)
        return "".join(traceback.format_stack(frame)) if frame is not None else "it has no thread"

    def drain(self, timeout: float = 10) -> bool:
        """Commit everything handed over so far, then refuse; False when time ran out before that."""
        with self._lock:
            self._closed = True
            thread = self._thread if self._pid == os.getpid() else None
        if thread is None or not thread.is_alive():
            return True
        self._queue.put(None)
        thread.join(timeout)
        if thread.is_alive():
            log.error("the writer could not commit everything in %.0f s", timeout)
        return not thread.is_alive()

    def reopen(self) -> None:
        """Accept changes again after a drain (tests, reloads)."""
        with self._lock:
            self._closed, self._pid = False, 0

    def _begin_anew(self) -> None:
        """In a forked child: the parent's thread is not here, its lock may be held for ever, and its
        database connections must not be used by two processes."""
        self._lock, self._pid, self._thread, self._closed = threading.Lock(), 0, None, False
        faults.forget_connections()

    def _start(self) -> None:
        """Start the thread of this process; one that died leaves its queue to the next."""
        if self._pid != os.getpid():
            self._queue = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(self._queue,), name="writer", daemon=True)
        self._thread.start()
        self._pid = os.getpid()

    def _run(self, waiting: SimpleQueue[Waiting | None]) -> None:
        while True:
            batch, last = _collect(waiting)
            try:
                commit_batch(batch)
            except Exception as fault:
                log.exception("the writer failed on a batch")
                for item in batch:
                    if not item.future.done():
                        item.future.set_exception(fault)
            if last:
                connections.close_all()
                return


def _collect(waiting: SimpleQueue[Waiting | None]) -> tuple[list[Waiting], bool]:
    """What waits, and what follows upon it without a pause; whether it is the last."""
    batch: list[Waiting] = []
    item = waiting.get()
    until = time.monotonic() + (LINGER if waiting.qsize() < MANY else 0.0)
    while item is not None:
        batch.append(item)
        if len(batch) >= MAX_BATCH:
            return batch, False
        try:
            item = _another(waiting, until)
        except Empty:
            return batch, False
    return batch, True


def _another(waiting: SimpleQueue[Waiting | None], until: float) -> Waiting | None:
    """What else waits; before `until`, also after a pause. Raises Empty."""
    try:
        return waiting.get_nowait()
    except Empty:
        if time.monotonic() >= until:
            raise
    # Not get(timeout=PAUSE): up to Python 3.12, a thread that is kept from running for longer than the timeout, in the
    # middle of that call, then waits without any: what is in hand would be committed when another change comes.
    time.sleep(PAUSE)
    return waiting.get_nowait()


def commit_batch(batch: Sequence[Waiting]) -> None:
    """Commit a batch; a change that breaks it is found by splitting and fails alone."""
    if not batch:
        return
    try:
        applied = _apply_patiently([item.change for item in batch])
    except (Busy, OutcomeUnknown) as away:
        # Nothing is wrong with the changes: trying the halves would only wait once more for each.
        log.error("a batch of %d was not written: %s", len(batch), away)
        for item in batch:
            item.future.set_exception(away)
    except Exception as fault:  # noqa: BLE001  whatever one change brings about must not fail its neighbours
        if len(batch) == 1:
            _fail_alone(batch[0], fault)
            return
        half = len(batch) // 2
        commit_batch(batch[:half])
        commit_batch(batch[half:])
    else:
        _release(batch, applied)


def _fail_alone(item: Waiting, fault: Exception) -> None:
    # Two first submissions of one operation may meet in two processes: the loser of the unique
    # key finds the winner's answer when it looks again.
    if isinstance(fault, IntegrityError) and item.change.operation:
        try:
            applied = _apply_patiently([item.change])
        except Exception as again:  # noqa: BLE001  told below
            fault = again
        else:
            _release([item], applied)
            return
    told = faults.told(fault)
    if told is fault:
        log.error("the change %r could not be written", item.change.verb, exc_info=fault)
    item.future.set_exception(told)


def _release(batch: Sequence[Waiting], applied: Applied) -> None:
    with told_together():
        for item, answer in zip(batch, applied.answers, strict=True):
            settle(item.future, answer)
    try:
        announce(applied)
    except Exception:
        log.exception("a hint failed; readers will look by themselves")


def settle(future: Future[Outcome], answer: Answer) -> None:
    """Release a future with its answer."""
    if isinstance(answer, Outcome):
        future.set_result(answer)
    else:
        future.set_exception(answer)


def announce(applied: Applied) -> None:
    """Hint at what a committed batch moved: journals, agents' commands, reactions."""
    for workspace_id, head in applied.heads.items():
        bus.hint(workspace_id, head)
        if applied.types[workspace_id] & WAKING:
            bus.enqueue("clawgroups.react", str(workspace_id))
    for topic in applied.wakes:
        bus.wake(topic)


def _apply_patiently(changes: Sequence[Change]) -> Applied:
    """Apply, repeating on deadlock, serialisation failure and a database that is away.

    Raises `Busy` when that did not pass in time, and `OutcomeUnknown` when the database went away
    during the commit and cannot say what became of it.
    """
    until = time.monotonic() + RETRY_FOR
    pause = 0.005
    doubt: InDoubt | None = None
    while True:
        try:
            if doubt is not None:
                if was_committed(doubt):
                    return doubt.applied
                doubt = None
            return apply(changes)
        except InDoubt as lost:
            doubt = lost
            log.warning("the connection was lost while a batch of %d was committed", len(changes))
        except (OperationalError, InterfaceError) as fault:
            if not faults.passes(fault):
                raise
            if time.monotonic() > until:
                if doubt is not None:
                    raise OutcomeUnknown("The database went away; repeat to learn what became of it.") from fault
                raise Busy("The database does not answer; try again in a moment.") from fault
            log.warning("a batch of %d is repeated: %s", len(changes), str(fault).strip())
        connections["default"].close()
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, 1.0)


__all__ = ["Waiting", "Writer", "announce", "commit_batch", "settle"]
