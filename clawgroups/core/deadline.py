"""The deadline of what a thread is doing. Everything in it that may block asks how long it may.

A pool of threads has no time limits, so a turn carries its own: `within` sets it, `left` and `check`
keep to it. Where none is set, a call's own limit counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_until: ContextVar[float | None] = ContextVar("deadline", default=None)


class Overrun(Exception):
    """The time for what this thread does is over: stop acting."""

    def __init__(self) -> None:
        super().__init__("it took longer than it may")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what follows at most so many seconds; an earlier deadline around it stands."""
    until = time.monotonic() + seconds
    before = _until.get()
    token = _until.set(until if before is None else min(before, until))
    try:
        yield
    finally:
        _until.reset(token)


def left(at_most: float) -> float:
    """How long a call may block that takes `at_most` by itself. Raises `Overrun` when no time is left."""
    until = _until.get()
    if until is None:
        return at_most
    remaining = until - time.monotonic()
    if remaining <= 0:
        raise Overrun
    return min(at_most, remaining)


def check() -> None:
    """Raise `Overrun` when no time is left."""
    left(0.0)
