"""Checks the numbers of a text against the tables that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

from agents.builtin.claims import Claim, find_claims
from agents.builtin.facts import Answer, from_profile
from agents.builtin.failures import TableError
from agents.builtin.figures import fmt, fmt_percent, plural
from agents.builtin.marks import Mark, squeeze
from agents.builtin.material import Material
from agents.builtin.recompute import Recount
from agents.builtin.stats import as_json
from agents.builtin.tables import Check, open_tables

_MOST_SHOWN = 20
_CONTEXT = 60


@dataclass(frozen=True)
class Checked:
    """One sourced number and what its source says; `basis` is the table itself or, without it, its profile."""

    claim: Claim
    answer: Answer
    basis: str

    @property
    def ok(self) -> bool:
        """Whether the source gives this number."""
        return self.answer.value is not None and self.claim.agrees(self.answer.value)

    def as_json(self) -> dict[str, Any]:
        """The entry for review.json: what the data gives, and what the text says."""
        return {
            "claim": f"{self.claim.text} {self.claim.mark}",
            "expected": as_json(_simple(self.answer.value)),
            "found": self.claim.text,
            "ok": self.ok,
            "source": str(self.claim.mark),
            "line": self.claim.line,
            "basis": self.basis,
            "reason": self.answer.reason,
        }


def _simple(value: Decimal | None) -> int | Decimal | None:
    return int(value) if value is not None and value == value.to_integral_value() else value


@dataclass(frozen=True)
class Review:
    """All that was found in one text."""

    file: str
    checked: tuple[Checked, ...]
    unsourced: tuple[Claim, ...]
    text: str

    @property
    def wrong(self) -> list[Checked]:
        """The numbers that their source does not give."""
        return [check for check in self.checked if not check.ok]

    @property
    def passed(self) -> bool:
        """A text passes when it names sources and every number that does so is right."""
        return bool(self.checked) and not self.wrong

    def as_json(self, acceptance: Sequence[str] = ()) -> dict[str, Any]:
        """The content of review.json."""
        return {
            "verdict": "pass" if self.passed else "fail",
            "report": self.file,
            "checks": [check.as_json() for check in self.checked],
            "unsourced": [
                {"claim": claim.text, "line": claim.line, "context": context(self.text, claim)}
                for claim in self.unsourced
            ],
            "acceptance": [self._line(line) for line in acceptance],
        }

    def _line(self, line: str) -> dict[str, Any]:
        if line.strip() == "numbers_match_source":
            return {"line": line, "ok": self.passed, "reason": "see the checks"}
        return {"line": line, "ok": None, "reason": "not judged here: this reviewer compares numbers with data"}


def review(file: str, text: str, material: Material, check: Check) -> Review:
    """Recompute every sourced number of a text from the raw tables."""
    claims = find_claims(text)
    sourced = [claim for claim in claims if claim.mark is not None]
    wanted: dict[str, list[Mark]] = {}
    for claim in sourced:
        assert claim.mark is not None
        wanted.setdefault(claim.mark.table, []).append(claim.mark)
    answers: dict[Mark, tuple[Answer, str]] = {}
    for table, marks in wanted.items():
        check()
        answers |= answer_all(material, table, marks, check)
    checked = tuple(Checked(claim, *answers[claim.mark]) for claim in sourced if claim.mark is not None)
    return Review(file, checked, tuple(claim for claim in claims if claim.mark is None), text)


def answer_all(material: Material, table: str, marks: list[Mark], check: Check) -> dict[Mark, tuple[Answer, str]]:
    """The answers for one table: from its rows if the file is here, else from its profile, else a reason."""
    file = _file_of(material, table)
    if file is not None:
        try:
            return {mark: (answer, "rows") for mark, answer in _recount(material, file, table, marks, check).items()}
        except TableError as error:
            return {mark: (Answer(None, str(error)), "none") for mark in marks}
    for profile in material.profiles.values():
        if profile["table"] == table:
            return {mark: (from_profile(profile, mark), "profile") for mark in marks}
    return {mark: (Answer(None, f"{table} is not among the files here"), "none") for mark in marks}


def _file_of(material: Material, table: str) -> str | None:
    """The file of a table: of that very name, or the only one of that name in another folder."""
    files = {squeeze(file): file for file in material.tables}
    for wanted in (table, table.rsplit("#", maxsplit=1)[0]):
        if wanted in files:
            return files[wanted]
        same = [file for plain, file in files.items() if PurePosixPath(plain).name == PurePosixPath(wanted).name]
        if len(same) == 1:
            return same[0]
    return None


def _recount(material: Material, file: str, name: str, marks: list[Mark], check: Check) -> dict[Mark, Answer]:
    with open_tables(material.path(file), file, check) as tables:
        sheet = name.rsplit("#", maxsplit=1)[-1] if "#" in name else None
        found = [t for t in tables if t.name == name or (sheet and t.sheet and squeeze(t.sheet) == sheet)]
        found = found or (tables if len(tables) == 1 else [])
        if not found:
            return dict.fromkeys(marks, Answer(None, f"{file} has no sheet of the name in {name!r}"))
        return Recount(found[0], check).answer(marks)


def context(text: str, claim: Claim) -> str:
    """Some words around a number, on its line."""
    start = max(text.rfind("\n", 0, claim.start) + 1, claim.start - _CONTEXT)
    end = text.find("\n", claim.end)
    return " ".join(text[start : min(end if end >= 0 else len(text), claim.end + _CONTEXT)].split())


def verdict(found: Review) -> str:
    """The review in prose: the verdict first, then what is wrong, what could not be checked, what has no source."""
    parts = [_first_line(found)]
    wrong = [check for check in found.wrong if check.answer.value is not None]
    unknown = [check for check in found.wrong if check.answer.value is None]
    if wrong:
        parts.append("These numbers differ from their source:\n\n" + _items([_difference(check) for check in wrong]))
    if unknown:
        lines = [f"Line {c.claim.line}: {c.claim.text} {c.claim.mark}: {c.answer.reason}." for c in unknown]
        parts.append("These could not be confirmed:\n\n" + _items(lines))
    if found.unsourced:
        lines = [f"Line {claim.line}: {claim.text}, in “{context(found.text, claim)}”" for claim in found.unsourced]
        parts.append("These numbers name no source and were not checked:\n\n" + _items(lines))
    if any(check.basis == "profile" for check in found.checked):
        parts.append("Where the table itself was not at hand, its profile was taken instead.")
    return "\n\n".join(parts) + "\n"


def _first_line(found: Review) -> str:
    total, wrong = len(found.checked), len(found.wrong)
    if not total:
        return f"Verdict: fail. No number in {found.file} names its source, so nothing could be confirmed."
    numbers = plural(total, "number", "numbers")
    if not wrong:
        all_ = f"All {total}" if total > 1 else "The one"
        return (
            f"Verdict: pass. {all_} sourced {numbers} of {found.file} {plural(total, 'agrees', 'agree')} with the data."
        )
    return f"Verdict: fail. Of {total} sourced {numbers} in {found.file}, {wrong} could not be confirmed."


def _difference(check: Checked) -> str:
    value, mark = check.answer.value, check.claim.mark
    assert value is not None
    assert mark is not None
    percent = "share" in mark.aggregate or "change" in mark.aggregate
    right = fmt_percent(value) if percent else fmt(as_number(value))
    return f"Line {check.claim.line}: the text says {check.claim.text}, the data gives {right} {mark}"


def as_number(value: Decimal) -> int | Decimal:
    """A whole number as an integer, so that it is written without decimals."""
    return int(value) if value == value.to_integral_value() else value


def _items(lines: list[str]) -> str:
    more = [f"… and {len(lines) - _MOST_SHOWN} more, all of them in review.json"] if len(lines) > _MOST_SHOWN else []
    return "\n".join(f"- {line}" for line in lines[:_MOST_SHOWN] + more)
