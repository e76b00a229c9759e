"""One thread per process that commits whatever is waiting, as one transaction."""

from __future__ import annotations

import logging
import os
import queue
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connections

from clawgroups import bus
from clawgroups.commit.batch import Answer, Applied, apply
from clawgroups.commit.image import LostRow
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import Busy, ClawError, OutcomeUnknown
from clawgroups.core.events import WAKING

log = logging.getLogger(__name__)

MAX_BATCH = 500
MAX_WAITING = 4 * MAX_BATCH
RETRY_FOR = 20.0  # seconds a batch is repeated while the database is away or deadlocks
_RETRYABLE = {"40001", "40P01", "55P03"}


@dataclass(slots=True)
class Waiting:
    change: Change
    future: Future[Outcome]


class Writer:
    """Takes changes from any thread; `submit` never waits.

    Started at the first submit of a process, never before a fork (the pid is checked). `drain`
    commits what waits, then refuses.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._queue: queue.Queue[Waiting | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, change: Change) -> Future[Outcome]:
        """Hand a change over. Raises `Busy` when too many wait or the process shuts down."""
        with self._lock:
            if self._closed:
                raise Busy("The server is shutting down; try again in a moment.")
            if self._pid != os.getpid():
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

    def drain(self, timeout: float = 10) -> None:
        """Commit everything handed over so far, then refuse further changes."""
        with self._lock:
            self._closed = True
            thread = self._thread if self._pid == os.getpid() else None
        if thread is not None and thread.is_alive():
            self._queue.put(None)
            thread.join(timeout)

    def reopen(self) -> None:
        """Accept changes again after a drain (tests, reloads)."""
        with self._lock:
            self._closed, self._pid = False, 0

    def _start(self) -> None:
        self._pid, self._queue = os.getpid(), queue.Queue()
        self._thread = threading.Thread(target=self._run, args=(self._queue,), name="writer", daemon=True)
        self._thread.start()

    def _run(self, waiting: queue.Queue[Waiting | None]) -> None:
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


def _collect(waiting: queue.Queue[Waiting | None]) -> tuple[list[Waiting], bool]:
    batch: list[Waiting] = []
    item = waiting.get()
    while item is not None:
        batch.append(item)
        if len(batch) >= MAX_BATCH:
            return batch, False
        try:
            item = waiting.get_nowait()
        except queue.Empty:
            return batch, False
    return batch, True


def commit_batch(batch: Sequence[Waiting]) -> None:
    """Commit a batch; a change that breaks it is found by splitting and fails alone."""
    if not batch:
        return
    try:
        applied = _apply_patiently([item.change for item in batch])
    except (DatabaseError, LostRow, ClawError, ValueError, TypeError, KeyError) as fault:
        if len(batch) == 1:
            _fail_alone(batch[0], fault)
            return
        half = len(batch) // 2
        commit_batch(batch[:half])
        commit_batch(batch[half:])
        return
    for item, answer in zip(batch, applied.answers, strict=True):
        settle(item.future, answer)
    announce(applied)


def _fail_alone(item: Waiting, fault: Exception) -> None:
    # Two first submissions of one operation may meet in two processes: the loser of the unique
    # key finds the winner's answer when it looks again.
    if isinstance(fault, IntegrityError) and item.change.operation:
        try:
            applied = apply([item.change])
        except DatabaseError as again:
            item.future.set_exception(again)
            return
        settle(item.future, applied.answers[0])
        announce(applied)
        return
    item.future.set_exception(fault)


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
    """Apply, repeating on deadlock, serialisation failure and a database that is away."""
    until = time.monotonic() + RETRY_FOR
    pause = 0.005
    while True:
        try:
            return apply(changes)
        except (OperationalError, InterfaceError) as fault:
            if not _passes(fault) or time.monotonic() > until:
                if _passes(fault):
                    raise Busy("The database does not answer; try again in a moment.") from fault
                raise
            connections["default"].close()
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
            pause = min(pause * 2, 1.0)


def _passes(fault: Exception) -> bool:
    """Whether the same statement may succeed later: a lock, a deadlock, a lost connection."""
    state = getattr(fault.__cause__, "sqlstate", None)
    if state is None:
        return True
    return bool(state in _RETRYABLE or state.startswith(("08", "57")))


__all__ = ["OutcomeUnknown", "Waiting", "Writer", "announce", "commit_batch", "settle"]
