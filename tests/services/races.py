"""Two sides at one moment: both at once, or one between the other's decision and its commit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import connections

from clawgroups import commit
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import ClawError

WAIT = 20.0
Act = Callable[[], object]


def at_once(*acts: Act) -> list[object]:
    """Carry these out at the same time: what each gave, or how it was refused."""
    together = threading.Barrier(len(acts), timeout=WAIT)

    def one(act: Act) -> object:
        together.wait()
        try:
            return act()
        except ClawError as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def between(monkeypatch: pytest.MonkeyPatch, act: Act) -> None:
    """The next change is decided, and then `act` happens before it is committed."""
    original, waiting = commit.submit, [act]

    def submit(change: Change) -> Future[Outcome]:
        if waiting:
            waiting.pop()()
        return original(change)

    monkeypatch.setattr(commit, "submit", submit)
