"""The writer: every domain change goes through `submit` (design.md 2 idea 4, 2a).

future = commit.submit(change)      # never waits
outcome = wait(future)              # sync doors; async doors: await outcome(future)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from django.db import transaction

from clawgroups.commit import faults
from clawgroups.commit.awaiting import outcome
from clawgroups.commit.batch import Applied, apply
from clawgroups.commit.writer import Writer, settle
from clawgroups.core import deadline
from clawgroups.core.changes import Change, Expect, Outcome
from clawgroups.core.errors import OutcomeUnknown

__all__ = ["Collected", "drain", "inline", "is_open", "outcome", "provided", "reopen", "submit", "wait", "watched"]

log = logging.getLogger(__name__)
_writer = Writer()
_inline: list[Collected] = []
_provided: ContextVar[tuple[Expect, ...]] = ContextVar("provided", default=())
_watched: ContextVar[list[Change] | None] = ContextVar("watched", default=None)


@dataclass(slots=True)
class Collected:
    """What `inline` would have announced."""

    applied: list[Applied] = field(default_factory=list)


def submit(change: Change) -> Future[Outcome]:
    """Hand a change to this process's writer; the future resolves once it is committed.

    Raises `Busy` under back-pressure, and RuntimeError inside an `atomic` block: what is decided
    there could still be rolled back after the change was committed.
    """
    if also := _provided.get():
        change = replace(change, expects=(*change.expects, *also))
    if (seen := _watched.get()) is not None:
        seen.append(change)
    if _inline:
        return _submit_inline(change, _inline[-1])
    if _in_transaction():
        raise RuntimeError("submit() inside an atomic block: decide outside of transactions")
    return _writer.submit(change)


def _in_transaction() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return bool(transaction.get_connection().in_atomic_block)
    # Django begins none on a loop, and to ask there makes a connection's object for each task.
    return False


@contextmanager
def provided(*expects: Expect) -> Iterator[None]:
    """Within it, what is submitted is committed only where this is so, too: whoever calls a verb knows more than it."""
    token = _provided.set(expects)
    try:
        yield
    finally:
        _provided.reset(token)


@contextmanager
def watched() -> Iterator[list[Change]]:
    """Within it, what is submitted here is also put into this list: it says what a verb wrote, and nobody else."""
    seen: list[Change] = []
    token = _watched.set(seen)
    try:
        yield seen
    finally:
        _watched.reset(token)


def wait(future: Future[Outcome], timeout: float = 30) -> Outcome:
    """The outcome, for synchronous doors. Raises RuntimeError where an event loop runs.

    Waits no longer than the caller's deadline allows (`core.deadline`), and then raises `OutcomeUnknown`; the log says
    what kept the writer.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError("wait() would block the event loop: await outcome(future)")
    try:
        return future.result(deadline.left(timeout))
    except TimeoutError:
        log.error("a change was not answered in time; the writer is at\n%s", _writer.where())
        raise OutcomeUnknown("The outcome is not known yet. Repeat with the same operation id to learn it.") from None


def is_open() -> bool:
    """Whether this process's writer takes changes: neither drained nor dead."""
    return _writer.is_open()


def drain(timeout: float = 10) -> bool:
    """Commit what waits and refuse more, at every process's end; False when that took too long."""
    return _writer.drain(timeout)


def reopen() -> None:
    """Accept changes again after `drain`."""
    _writer.reopen()


@contextmanager
def inline() -> Iterator[Collected]:
    """For tests: apply the same batch code on the caller's connection, in a savepoint, at once."""
    collected = Collected()
    _inline.append(collected)
    try:
        yield collected
    finally:
        _inline.remove(collected)


def _submit_inline(change: Change, collected: Collected) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    try:
        applied = apply([change])
    except Exception as fault:  # noqa: BLE001 a future carries whatever went wrong
        future.set_exception(faults.told(fault))
        return future
    collected.applied.append(applied)
    settle(future, applied.answers[0])
    return future
