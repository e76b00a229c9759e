"""Whether an agent says or does something new: what only repeats itself is no progress. Pure.

Text is held against what was said lately, in windows, so that it does not matter in which pieces it comes.
Everything else is held against fingerprints of what was done lately.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

WINDOW = 48  # characters that nobody says twice by chance
LOOKS = 64  # windows looked at in one piece of text
TAIL = 16_000  # characters that are remembered
SEEN = 256  # fingerprints that are remembered
SHORT = 64  # characters that are a fingerprint themselves
STALE = 200  # repeated characters of one endless message that count as one repetition
# What differs from call to call without meaning anything.
NOISE = frozenset({"terminalId", "toolCallId", "_meta"})
_SIMPLE = frozenset({str, int, bool, float})


@dataclass(slots=True)
class Memory:
    """What an agent said and did lately, and how often it has repeated itself since the last new thing."""

    repeats: int = 0
    _tail: str = ""
    _seen: dict[str, None] = field(default_factory=dict)
    _stale: int = 0

    def copy(self) -> Memory:
        """Another one that may go its own way."""
        return Memory(self.repeats, self._tail, dict(self._seen), self._stale)

    def recall(self, said: Iterable[str], done: Iterable[str]) -> None:
        """Take up what was said and done before, oldest first."""
        self._tail = "".join(said)[-TAIL:]
        for mark in done:
            self._remember(mark)

    def hear(self, text: str, *, begins: bool) -> bool:
        """Whether this text is new. `begins`: it is the beginning of a message."""
        if not text.strip():
            return False
        new = self._says_something(text, begins)
        self._tail = (self._tail + text)[-TAIL:]
        if new:
            return self._progress()
        self._stale += len(text)
        if begins or self._stale >= STALE:
            self._stale = 0
            self.repeats += 1
        return False

    def see(self, mark: str, *, begins: bool = False) -> bool:
        """Whether what has this fingerprint is new. `begins`: it is the beginning of something, e.g. a call."""
        if self._remember(mark):
            return self._progress()
        self.repeats += begins
        return False

    def _says_something(self, text: str, begins: bool) -> bool:
        # A piece is looked at together with what it goes on with; a message only if it is short.
        stream = text if begins and len(text) >= WINDOW else self._tail[-(WINDOW - 1) :] + text
        last = len(stream) - WINDOW
        if last < 0:
            return True
        step = max(WINDOW // 2, last // LOOKS)
        starts = [*range(0, last, step), last]
        return any(stream[start : start + WINDOW] not in self._tail for start in starts)

    def _remember(self, mark: str) -> bool:
        new = mark not in self._seen
        self._seen.pop(mark, None)
        self._seen[mark] = None
        if len(self._seen) > SEEN:
            del self._seen[next(iter(self._seen))]
        return new

    def _progress(self) -> bool:
        self.repeats = self._stale = 0
        return True


def call_mark(kind: str, title: str, detail: Mapping[str, Any]) -> str:
    """The fingerprint of a tool call as it is asked for, whatever comes of it."""
    return _mark("call", kind, title, detail.get("raw_input"))


def step_mark(kind: str, title: str, status: str, detail: Mapping[str, Any]) -> str:
    """The fingerprint of a tool call as far as it has come."""
    return _mark("step", kind, title, status, detail)


def plan_mark(entries: Iterable[Mapping[str, Any]]) -> str:
    """The fingerprint of a plan."""
    return _mark("plan", list(entries))


def _mark(*what: Any) -> str:
    text = repr(_plain(what))
    if len(text) <= SHORT:
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _plain(value: Any) -> Any:
    if value is None or type(value) in _SIMPLE:
        return value
    if isinstance(value, Mapping):
        # PostgreSQL gives them back in an order of its own.
        return sorted((str(key), _plain(item)) for key, item in value.items() if key not in NOISE)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value)
