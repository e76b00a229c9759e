"""What a turn asks for: the text of the prompt and `_meta.clawgroups`, read as data from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_CHECK = re.compile(r"(contains|not_contains|min_words|file_type)\s*:\s*(.+)", re.DOTALL)
# The closed set of checks a machine makes (design.md 4); a reader of the report has no use for them.
_MACHINE = re.compile(
    r"(not_empty|contains|not_contains|matches|min_words|file_type|opens|sheet_has|numbers_match_source|links_resolve"
    r"|has_parts|schema)\s*(:.*)?",
    re.DOTALL,
)
_LONGEST_TITLE = 100


@dataclass(frozen=True)
class Reason:
    """Why work came back: the line it belongs to, if any, and what was found."""

    line: str
    text: str

    def __str__(self) -> str:
        return f"{self.line}: {self.text}" if self.line and self.text else self.line or self.text


@dataclass(frozen=True)
class Brief:
    """One prompt. `text` is what a person reads, of one who steers what they said; the rest is `_meta.clawgroups`."""

    text: str = ""
    turn: str = ""
    kind: str = ""
    title: str = ""
    goal: str = ""
    instructions: str = ""
    acceptance: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    feedback: tuple[Reason, ...] = ()
    note: str = ""
    changes: str = ""
    """What a person changed before handing back, as a unified diff."""
    told: bool = field(default=False)
    """Whether the prompt came with a task at all; a person's direct word does not."""

    def wish(self) -> str:
        """The words that say what is wanted, for finding what they name."""
        return "\n".join(filter(None, (self.goal, self.title, self.instructions))) or self.text

    def heading(self) -> str:
        """A title for what is made: what was asked, else the name of the task."""
        line = next(iter((self.goal or self.title or self.instructions or self.text).strip().splitlines()), "")
        line = " ".join(line.lstrip("#> ").split())
        return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1].rsplit(" ", 1)[0] + "…"

    def wanted(self) -> list[str]:
        """The acceptance lines that are written for readers."""
        return [line for line in self.acceptance if not _MACHINE.fullmatch(line.strip())]

    def checks(self, name: str) -> list[str]:
        """The arguments of acceptance lines of one kind, such as `contains: Method`."""
        found = (_CHECK.fullmatch(line.strip()) for line in self.acceptance)
        return [match[2].strip() for match in found if match and match[1] == name]


def read_brief(text: str, meta: object) -> Brief:
    """The brief of a prompt; what is missing or of another type than agreed is left out, never guessed."""
    ours = meta if isinstance(meta, Mapping) else {}
    task = ours.get("task")
    told = isinstance(task, Mapping)
    known: Mapping[str, Any] = task if isinstance(task, Mapping) else {}
    brief = known.get("brief")
    back: Mapping[str, Any] = brief if isinstance(brief, Mapping) else {}
    return Brief(
        text=_text(ours.get("said")) or text,
        turn=_text(ours.get("turn")),
        kind=_text(known.get("kind")),
        title=_text(known.get("title")),
        goal=_text(known.get("goal")),
        instructions=_text(known.get("instructions")),
        acceptance=tuple(_line(item) for item in _list(known.get("acceptance")) if _line(item)),
        inputs=tuple(_name(item) for item in _list(known.get("inputs")) if _name(item)),
        feedback=tuple(reason for item in _list(known.get("feedback")) if (reason := _reason(item))),
        note=_text(back.get("note")) or _text(known.get("brief")),
        changes=_text(back.get("diff")),
        told=told,
    )


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _list(value: object) -> Sequence[object]:
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, Sequence) else []


def _line(value: object) -> str:
    return _text(value.get("text") or value.get("line")) if isinstance(value, Mapping) else _text(value)


def _name(value: object) -> str:
    return _text(value.get("name")) if isinstance(value, Mapping) else _text(value)


def _reason(value: object) -> Reason | None:
    if isinstance(value, Mapping):
        if value.get("ok") is True or value.get("finding") == "passed":
            return None
        text = _text(value.get("reason")) or _text(value.get("text")) or _text(value.get("note"))
        line = _text(value.get("line"))
        return Reason(line, text) if line or text else None
    return Reason("", _text(value)) if _text(value) else None
