"""The coordinator without a model: plans from templates and skill profiles. The fallback for ever."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from clawgroups.coordinator.situation import InputView, Situation

NAME = "built-in coordinator"
TABULAR = (".csv", ".tsv", ".xlsx")
STOP = frozenset(
    re.findall(
        r"\w+",
        """
    the and for with from into that this your our their about what which make write give find show have has are
    was were will would should could please
""",
    )
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with its reason, or (no tasks) why there is none and what to do about it."""

    tasks: tuple[dict[str, Any], ...]
    rationale: str


def plan(situation: Situation) -> Planned:
    """A task graph for the goal and its inputs. Deterministic."""
    tables = [f for f in situation.inputs if f.name.lower().endswith(TABULAR)]
    if tables:
        return _data_report(situation, tables)
    return _by_skill(situation)


def _data_report(situation: Situation, tables: Sequence[InputView]) -> Planned:
    keys = _keys([f.name for f in tables])
    tasks: list[dict[str, Any]] = [
        {
            "key": key,
            "title": f"Profile {table.name}",
            "kind": "profile",
            "instructions": (
                f"Read {table.name}. Describe its columns, types, gaps and outliers, compute the aggregates that"
                " matter for the goal, draw a chart, and put it all into a workbook."
            ),
            "skills": ["data-analysis"],
            "acceptance": ["not_empty", "file_type: .xlsx", "opens"],
        }
        for key, table in zip(keys, tables, strict=True)
    ]
    report = {
        "key": "report",
        "title": "Write the report",
        "kind": "report",
        "instructions": "Answer the goal from the profiles. Give the source of every number.",
        "skills": ["writing"],
        "depends_on": keys,
        "acceptance": ["not_empty", "min_words: 80", "numbers_match_source"],
    }
    check = {
        "key": "check",
        "title": "Check the report against the data",
        "kind": "review",
        "instructions": "Recompute every number of the report from the files, and list what does not agree.",
        "skills": ["review"],
        "depends_on": ["report"],
        "acceptance": ["not_empty"],
    }
    files = "one table" if len(tables) == 1 else f"{len(tables)} tables"
    why = (
        f"The goal comes with {files}: each is profiled on its own, at the same time; a report is written from the"
        " profiles; somebody other than its author recomputes its numbers from the files."
    )
    return Planned((*tasks, report, check), why)


def _keys(names: Sequence[str]) -> list[str]:
    keys: list[str] = []
    for name in names:
        base = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(name).stem.lower()).strip("-")[:40] or "table"
        key = f"profile-{base}"
        number = 2
        while key in keys:
            key, number = f"profile-{base}-{number}", number + 1
        keys.append(key)
    return keys


def _by_skill(situation: Situation) -> Planned:
    """One task for the member whose declared profile fits the goal's words best."""
    words = _words(situation.goal)
    joined = [c for c in situation.candidates if c.member_id not in situation.builtin]
    scored = sorted(
        ((len(words & _words(situation.descriptions[c.member_id])), c.online, c) for c in joined),
        key=lambda row: (-row[0], not row[1], row[2].name),
    )
    if not scored:
        return Planned(
            (),
            "There is nothing here to work on, and nobody to write from scratch. Drop in a CSV or XLSX file with the"
            " goal (the built-in agents work on data), or connect an agent of your own that can do it.",
        )
    fit, _, candidate = scored[0]
    skill = _best_skill(candidate.skills, words)
    task = {
        "key": "work",
        "title": situation.goal.strip().splitlines()[0][:120],
        "instructions": situation.goal[:20_000],
        "skills": [skill] if skill else [],
        "acceptance": ["not_empty"],
    }
    why = (
        f"{candidate.name}'s profile shares {fit} words with the goal, more than anybody else's."
        if fit
        else f"No profile names this kind of work; {candidate.name} is the first that could try."
    )
    return Planned((task,), why)


def _best_skill(skills: dict[str, int], words: set[str]) -> str:
    fitting = sorted(skills, key=lambda s: (-len(_words(s.replace("-", " ")) & words), -skills[s], s))
    return fitting[0] if fitting else ""


def _words(text: str) -> set[str]:
    return {w for w in re.findall(r"[a-z0-9]{3,}", text.lower()) if w not in STOP}
