"""What the story of a task is told from: entries, what rows know of them, and how a sentence is made. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]
SOMEBODY = "Somebody"
NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Told:
    """A journal entry of a task, as it was written."""

    seq: int
    at: datetime
    type: str
    payload: Json
    actor: Json


@dataclass(frozen=True, slots=True)
class Known:
    """What rows say of what entries only name; keys are ids as text."""

    members: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[int, str] = field(default_factory=dict)
    # Attempt -> its member, and what is said of it at certain events: {type: (line, ...)}.
    workers: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def name(self, member: Any) -> str:
        """Of a seat."""
        return self.members.get(str(member), SOMEBODY)

    def worker(self, attempt: Any) -> str:
        """Whose an attempt is."""
        return self.workers.get(str(attempt), SOMEBODY)

    def of(self, type_: str, key: Any) -> tuple[str, ...]:
        """The bodies of an event of this type about this row."""
        return self.said.get((type_, str(key)), ())


@dataclass(frozen=True, slots=True)
class Hands:
    """A task at a moment: its state, whose hands it is in, and the epoch that fences them."""

    state: str
    who: str
    epoch: int

    def as_json(self) -> dict[str, Any]:
        return {"state": self.state, "hands": self.who, "epoch": self.epoch}


@dataclass(frozen=True, slots=True)
class Telling:
    """What a sentence is made of: the entry's facts, who did it, how the task stood before, and what rows know."""

    said: Json
    who: str
    before: Hands
    known: Known

    def __getitem__(self, key: str) -> Any:
        return self.said.get(key)

    @property
    def member(self) -> str:
        return self.known.name(self["member_id"])

    @property
    def worker(self) -> str:
        return self.known.worker(self["attempt_id"])


Sentence = Callable[[Telling], tuple[str, tuple[str, ...]]]


def plain(text: str) -> Sentence:
    """A sentence with {who}, {member} and {worker} in it."""

    def make(told: Telling) -> tuple[str, tuple[str, ...]]:
        return text.format(who=told.who, member=told.member, worker=told.worker, **_words(told.said)), ()

    return make


def _words(said: Json) -> dict[str, str]:
    names = ("reason", "name", "option", "value", "kind", "key")
    return {name: str(said.get(name) or "").rstrip(".") for name in names}


def with_said(type_: str, key: str, text: str) -> Sentence:
    """A plain sentence, and what rows have to say to it."""
    sentence = plain(text)

    def make(told: Telling) -> tuple[str, tuple[str, ...]]:
        return sentence(told)[0], told.known.of(type_, told[key])

    return make
