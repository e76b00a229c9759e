"""From what was given to a goal and a plan. Pure: no file is opened here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import Template as Words
from typing import Any

from clawgroups.core.errors import Invalid
from clawgroups.core.plan import PROSE
from clawgroups.core.run_templates.shape import MOST_NAME, Entry, Given, Input, Step, Template

MOST_LINE, MOST_TEXT = 300, 10_000
MOST_SLUG = 40
MOST_FACT = 1_000
_POINT = re.compile(r"^(?:[-*•]|\d{1,3}[.)])\s+")


@dataclass(frozen=True, slots=True)
class Helper:
    """Somebody who can write freely: a handle and a name."""

    handle: str
    name: str


@dataclass(frozen=True, slots=True)
class Filled:
    """What a run is drafted from."""

    goal: str
    tasks: tuple[dict[str, Any], ...]


def words_of(wanted: Input, said: str) -> str:
    """What was typed for a line or a text. Raises `Invalid` where it is missing or too long."""
    text = said.replace("\x00", "").strip()
    most = MOST_LINE if wanted.kind == "line" else MOST_TEXT
    if wanted.kind == "line":
        text = " ".join(text.split())
    if not text and wanted.required:
        raise Invalid(f"{wanted.label} is empty. Say it in a few words.", field=wanted.name, code="empty")
    if len(text) > most:
        said = f"{wanted.label} is {len(text)} characters long; at most {most} fit."
        raise Invalid(said, field=wanted.name, code="too_long")
    return text or wanted.otherwise


def typed_entries(wanted: Input, said: str) -> tuple[Entry, ...]:
    """A list as it is typed: one entry a line, with or without a bullet. Raises `Invalid`."""
    lines = (_POINT.sub("", line.strip()) for line in said.replace("\x00", "").splitlines())
    return entries_of(wanted, [(line, ()) for line in lines if line])


def row_entries(wanted: Input, rows: Iterable[Mapping[str, str]]) -> tuple[Entry, ...]:
    """The rows of a table, named by the column that says what they are called, else by the first. Raises `Invalid`."""
    found = []
    for row in rows:
        facts = tuple((key, " ".join(value.split())[:MOST_FACT]) for key, value in row.items() if value.strip())
        if facts:
            named = _name_column(wanted, row)
            found.append((row.get(named, "") or facts[0][1], facts))
    return entries_of(wanted, found)


def _name_column(wanted: Input, row: Mapping[str, str]) -> str:
    by_name = {key.strip().casefold(): key for key in row}
    known = (by_name[name] for name in wanted.name_columns if name in by_name)
    return next(known, next(iter(row), ""))


def entries_of(wanted: Input, found: Sequence[tuple[str, tuple[tuple[str, str], ...]]]) -> tuple[Entry, ...]:
    """Entries with a name for files each; the same one twice counts once. Raises `Invalid` for none or too many."""
    once: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {}
    for name, facts in found:
        plain = " ".join(name.split())[:MOST_NAME]
        once.setdefault(plain.casefold() if not facts else repr((plain, facts)), (plain, facts))
    if not once and wanted.required:
        raise Invalid(
            f"{wanted.label}: there is none yet. Write one a line{_or_file(wanted)}.", field=wanted.name, code="empty"
        )
    if wanted.most and len(once) > wanted.most:
        said = (
            f"{wanted.label}: {len(once)} are too many for one run; at most {wanted.most}. Make several runs of them."
        )
        raise Invalid(said, field=wanted.name, code="too_many")
    taken: set[str] = set()
    return tuple(
        Entry(name, _slug(name, number, taken), facts) for number, (name, facts) in enumerate(once.values(), 1)
    )


def file_entries(names: Sequence[str]) -> tuple[Entry, ...]:
    """Files as entries, each named as the file is."""
    taken: set[str] = set()
    return tuple(Entry(name, _slug(PurePosixPath(name).stem, n, taken)) for n, name in enumerate(names, 1))


def _or_file(wanted: Input) -> str:
    return ", or choose a table whose rows they are" if wanted.suffixes else ""


def _slug(name: str, number: int, taken: set[str]) -> str:
    """A short name of plain letters that no other entry has; a number where the script has none."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MOST_SLUG].strip("-") or f"no-{number}"
    slug, again = base, 2
    while slug in taken or slug == "index":
        slug, again = f"{base}-{again}", again + 1
    taken.add(slug)
    return slug


def fill(template: Template, given: Given, helpers: Sequence[Helper] = ()) -> Filled:
    """The goal and the plan. What has to be written is proposed to the helpers in turn."""
    steps = {step.key: [key for key, _ in _expanded(step, given)] for step in template.steps}
    tasks: list[dict[str, Any]] = []
    turn = 0
    for step in template.steps:
        for key, entry in _expanded(step, given):
            task = _task(step, key, entry, given)
            task["depends_on"] = [parent for name in step.after for parent in steps[name]]
            if step.kind == PROSE and helpers:
                helper = helpers[turn % len(helpers)]
                task |= {"assignee": helper.handle, "why": f"{helper.name} can write freely"}
                turn += 1
            tasks.append(task)
    goal = _put(template.goal, _words(given)).strip()
    return Filled("\n\n".join(part for part in re.split(r"\n{2,}", goal) if part.strip()), tuple(tasks))


def _expanded(step: Step, given: Given) -> list[tuple[str, Entry | None]]:
    if not step.each:
        return [(step.key, None)]
    return [(f"{step.key}-{entry.slug}", entry) for entry in given.entries.get(step.each, ())]


def _task(step: Step, key: str, entry: Entry | None, given: Given) -> dict[str, Any]:
    words = _words(given)
    if entry is not None:
        facts = "\n".join(f"- {name}: {value}" for name, value in entry.facts) or "- nothing but its name"
        words |= {"each": entry.name, "slug": entry.slug, "facts": facts}
    return {
        "key": key,
        "title": " ".join(_put(step.title, words).split())[:200],
        "instructions": _put(step.instructions, words).strip()[:20_000],
        "kind": step.kind,
        "skills": list(step.skills),
        "acceptance": [_put(line, words) for line in step.acceptance],
        "minutes": step.minutes,
        "output": step.output,
    }


def _words(given: Given) -> dict[str, str]:
    """Every input as words: of a list the names."""
    return {**given.words, **{name: _listed(entries) for name, entries in given.entries.items()}}


def _listed(entries: Sequence[Entry]) -> str:
    return ", ".join(entry.name for entry in entries) or "nobody named"


def _put(text: str, words: Mapping[str, str]) -> str:
    return Words(text).substitute(words)
