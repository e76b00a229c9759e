"""What a deliverable is made of, gathered from a finished run; pure values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Section:
    """One task's contribution."""

    key: str
    title: str
    author: str
    kind: str
    text: str
    state: str = "done"
    reason: str = ""
    verdicts: tuple[dict[str, str], ...] = ()
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that a task delivered."""

    name: str
    content_type: str
    content: bytes
    author: str


@dataclass(frozen=True, slots=True)
class Source:
    """A file that the result rests on."""

    name: str
    size: int
    sha256: str
    origin: str


@dataclass(frozen=True, slots=True)
class Material:
    """A whole run."""

    goal: str
    workspace: str
    asked_by: str
    finished_at: datetime
    sections: tuple[Section, ...]
    pictures: tuple[Picture, ...] = ()
    sources: tuple[Source, ...] = ()
    warnings: tuple[str, ...] = field(default_factory=tuple)
