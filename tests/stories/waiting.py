"""Waiting for what happens: bounded, and woken by whoever brings the news."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
LOOK = 0.05


class Heard(Generic[T]):
    """What a thread has heard, in order; others wait for the first that fits."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._items: list[T] = []
        self._news = threading.Condition()
        self._over = ""

    def add(self, item: T) -> None:
        with self._news:
            self._items.append(item)
            self._news.notify_all()

    def end(self, why: str) -> None:
        """Nothing more comes."""
        with self._news:
            self._over = why
            self._news.notify_all()

    def all(self) -> list[T]:
        with self._news:
            return list(self._items)

    def until(self, fits: Callable[[T], Any], *, seconds: float, what: str = "", after: int = 0) -> T:
        """The first item from place `after` on that fits; fails with what was heard instead."""
        until = time.monotonic() + seconds
        with self._news:
            looked = after
            while True:
                for item in self._items[looked:]:
                    if fits(item):
                        return item
                looked = max(looked, len(self._items))
                left = until - time.monotonic()
                if left <= 0 or self._over:
                    heard = "\n".join(map(str, self._items[-15:]))
                    raise AssertionError(
                        f"{self._what}: {what or 'it'} did not come. {self._over}\nHeard last:\n{heard}"
                    )
                self._news.wait(left)

    def __iter__(self) -> Iterator[T]:
        return iter(self.all())


def until(look: Callable[[], T], *, seconds: float, what: str) -> T:
    """Look again and again until the answer is truthy; for what brings no news by itself."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s, the last look gave {found!r}"
        pause.wait(LOOK)
    return found
