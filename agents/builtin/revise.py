"""Carries a person's edited text on: their words stay, what reasons name is fixed, what never was written is added."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from agents.builtin.brief import Brief, Reason
from agents.builtin.claims import Claim, find_claims
from agents.builtin.document import Document, Section, parse
from agents.builtin.figures import fmt, fmt_percent, name
from agents.builtin.marks import Mark

_WORD = re.compile(r"\w+", re.UNICODE)
_PERCENT = re.compile(r"share|change")
_ABOUT_NUMBERS = re.compile(r"number|figure|value|sum|total|wrong|differ|recomput|numbers_match_source", re.IGNORECASE)
_MISSING = re.compile(r"missing|lacks?|absent|add|need|(?:should|must) (?:have|contain)|no section", re.IGNORECASE)
_LIST_MARK = re.compile(r"^(?:[-*]|\d+\.) +")
_QUOTED = re.compile(r"[“\"'`]([^”\"'`\n]{2,80})[”\"'`]")
Value = Callable[[Mark], Decimal | None]


@dataclass
class Revision:
    """The new text and what was done to it, in words for the person who sent it back."""

    text: str
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def revise(draft: str, earlier: str | None, fresh: Document, brief: Brief, value: Value) -> Revision:
    """Take a draft further.

    `earlier` is the agent's own last version, if known: a section that was in it and is not in the draft was
    taken out by a person and stays out. `fresh` is the report composed anew from the material.
    """
    revision = Revision(draft)
    document = parse(draft)
    removed = {section.key() for section in parse(earlier).sections} if earlier else set()
    removed -= {section.key() for section in document.sections}
    document = _complete(document, fresh, removed, revision)
    text = str(document)
    for reason in brief.feedback or _as_reasons(brief):
        text = _act(text, reason, fresh, value, revision)
    revision.text = text
    return revision


def _as_reasons(brief: Brief) -> tuple[Reason, ...]:
    """A note without reasons is read line by line, as far as its lines ask for something."""
    lines = [line.lstrip("-*> ").strip() for line in brief.note.splitlines() if not line.startswith(("+", "@", "---"))]
    return tuple(Reason("", line) for line in lines if _MISSING.search(line) or _ABOUT_NUMBERS.search(line))


def _complete(document: Document, fresh: Document, removed: set[str], revision: Revision) -> Document:
    """Finish a section that breaks off and add those that were never written; nothing that is there changes."""
    kept = list(document.sections)
    if kept and (whole := fresh.section(kept[-1].heading)) and _breaks_off(kept[-1].body, whole.body):
        kept[-1] = Section(kept[-1].heading, whole.body)
        revision.done.append(f"finished the section {name(whole.heading)}, which broke off")
    have = {section.key() for section in kept}
    for section in fresh.sections:
        if section.key() not in have and section.key() not in removed:
            kept.insert(_place(kept, fresh, section), section)
            have.add(section.key())
            revision.done.append(f"added the section {name(section.heading)}")
    return Document(document.head or fresh.head, tuple(kept))


def _breaks_off(part: str, whole: str) -> bool:
    return part != whole and whole.startswith(part.rstrip())


def _place(kept: Sequence[Section], fresh: Document, section: Section) -> int:
    """Behind the nearest section that precedes it in the composed report."""
    before = [other.key() for other in fresh.sections[: fresh.sections.index(section)]]
    places = [number for number, other in enumerate(kept) if other.key() in before]
    return places[-1] + 1 if places else len(kept)


def _act(text: str, reason: Reason, fresh: Document, value: Value, revision: Revision) -> str:
    """Do what one reason asks, or say that it cannot be done."""
    whole = str(reason)
    fixed = text
    if _ABOUT_NUMBERS.search(whole) or find_claims(whole):
        fixed = _fix_numbers(text, whole, value, revision)
    if fixed == text:
        fixed = _add_section(text, whole, fresh, revision)
    if fixed == text and re.search(r"min_words|too short|more detail|longer", whole, re.IGNORECASE):
        fixed = _lengthen(text, fresh, revision)
    if fixed == text:
        revision.left.append(whole)
    return fixed


def _fix_numbers(text: str, reason: str, value: Value, revision: Revision) -> str:
    """Set right the numbers that differ from their source: those that the reason names, or all if it names none."""
    wrong = [(claim, right) for claim in find_claims(text) if (right := _right(claim, value)) is not None]
    told = {reading for claim in find_claims(reason) for reading in claim.readings}
    chosen = [(claim, right) for claim, right in wrong if told & set(claim.readings)] or wrong
    for claim, right in reversed(chosen):
        shown = fmt_percent(right) if claim.mark and _PERCENT.search(claim.mark.aggregate) else _like(right)
        text = text[: claim.start] + shown + text[claim.end :]
        revision.done.append(f"corrected {claim.text} to {shown} {claim.mark}")
    return text


def _right(claim: Claim, value: Value) -> Decimal | None:
    right = value(claim.mark) if claim.mark else None
    return None if right is None or claim.agrees(right) else right


def _like(value: Decimal) -> str:
    return fmt(int(value)) if value == value.to_integral_value() else fmt(value)


def _add_section(text: str, reason: str, fresh: Document, revision: Revision) -> str:
    """Put back a section that the reason names, even one that a person had taken out."""
    document = parse(text)
    words = reason.casefold()
    for section in fresh.sections:
        if section.key() in words and document.section(section.heading) is None:
            kept = list(document.sections)
            kept.insert(_place(kept, fresh, section), section)
            revision.done.append(f"added the section {name(section.heading)}")
            return str(Document(document.head, tuple(kept)))
    for wanted in _QUOTED.findall(reason):
        if wanted.casefold() not in text.casefold() and (line := _line_about(fresh, wanted)):
            revision.done.append(f"added what the material says about {name(wanted)}")
            return f"{text.rstrip()}\n\n## About {name(wanted)}\n\n{line}\n"
    return text


def _line_about(fresh: Document, wanted: str) -> str:
    lines = [line for section in fresh.sections for line in section.body.splitlines()]
    prose = (_LIST_MARK.sub("", line) for line in lines if not line.startswith((">", "|")))
    return next((line for line in prose if wanted.casefold() in line.casefold()), "")


def _lengthen(text: str, fresh: Document, revision: Revision) -> str:
    """Add the composed sentences that the text does not have."""
    have = {" ".join(line.split()) for line in text.splitlines()}
    lines = [
        line
        for section in fresh.sections
        for line in section.body.splitlines()
        if len(_WORD.findall(line)) > 6 and " ".join(line.split()) not in have and not line.startswith((">", "|"))
    ]
    if not lines:
        return text
    revision.done.append("added what else the data says")
    return f"{text.rstrip()}\n\n## Further findings\n\n" + "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Change:
    """How one text became another: lines added and removed, and the sections in which that happened."""

    added: int
    removed: int
    places: tuple[str, ...]


def change_between(before: str, after: str) -> Change:
    """Count what a person changed, line by line."""
    added = removed = 0
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0):
        added += line.startswith("+") and not line.startswith("+++")
        removed += line.startswith("-") and not line.startswith("---")
    old = {section.key(): section for section in parse(before).sections}
    new = {section.key(): section for section in parse(after).sections}
    keys = [key for key in dict.fromkeys((*old, *new)) if (old.get(key) or _NONE).body != (new.get(key) or _NONE).body]
    return Change(added, removed, tuple((new.get(key) or old[key]).heading for key in keys))


_NONE = Section("", "")
