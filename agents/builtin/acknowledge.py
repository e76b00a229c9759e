"""The turn after a hand-back in which an agent says what it understood to have changed, and does nothing else."""

from __future__ import annotations

import re

from agents.builtin.brief import Brief
from agents.builtin.figures import joined, name, numeral, plural
from agents.builtin.material import DRAFT, REPORT, Material, gather
from agents.builtin.revise import Change, change_between
from agents.builtin.turn import Turn

_DIFF_LINE = re.compile(r"^(?P<sign>[+-])(?!\1|\+\+|--)(?P<text>.*)$")
_HUNK = re.compile(r"^@@ .* @@|^(?:\+\+\+|---) ", re.MULTILINE)
_HEADING = re.compile(r"^[+-] ?#{1,6} +(.+)$", re.MULTILINE)
_LONGEST_NOTE = 240


async def acknowledge(turn: Turn, brief: Brief) -> None:
    """Say in one message what changed, from the brief and the files; no work is done."""
    material = await turn.work(gather, turn.folder, brief.inputs)
    await turn.say(understood(brief, material))


def understood(brief: Brief, material: Material) -> str:
    """The message: how many lines changed where, what the note says, how many reasons there are."""
    told = "\n".join(filter(None, (brief.note, brief.changes))) or ("" if brief.told else brief.text)
    change, file = _change(told, material)
    parts = ["Understood."]
    if change is not None and (change.added or change.removed):
        counts = [_lines(change.added, "added"), _lines(change.removed, "removed")]
        where = f", in {joined([name(place) for place in change.places[:4]])}" if change.places else ""
        parts.append(f"{file} changed: {joined([count for count in counts if count])}{where}.")
    elif change is not None:
        parts.append(f"{file} is as I left it.")
    note = _note(brief.note if brief.changes else told)
    if note:
        parts.append(f"The note says: “{note}”.")
    if brief.feedback:
        reasons = joined([f"“{reason}”" for reason in brief.feedback[:4]])
        parts.append(f"{plural(len(brief.feedback), 'The reason is', 'The reasons are')} {reasons}.")
    if len(parts) == 1:
        parts.append("The hand-back names no change and no reason; I go on from the files as they are now.")
    return " ".join(parts)


def _change(told: str, material: Material) -> tuple[Change | None, str]:
    if _HUNK.search(told):
        lines = [match["sign"] for line in told.splitlines() if (match := _DIFF_LINE.match(line))]
        places = tuple(dict.fromkeys(heading.strip() for heading in _HEADING.findall(told)))
        return Change(lines.count("+"), lines.count("-"), places), "The text"
    if material.draft is not None and material.report is not None:
        return change_between(material.report, material.draft), DRAFT
    return None, REPORT


def _lines(number: int, what: str) -> str:
    if not number:
        return ""
    count = numeral(number) if number <= 12 else f"{number:,}"
    return f"{count} {plural(number, 'line')} {what}"


def _note(told: str) -> str:
    """The words of a brief without the lines of a diff."""
    lines, in_diff = [], False
    for line in told.splitlines():
        if line.startswith("```"):
            in_diff = not in_diff
        elif not in_diff and not _HUNK.match(line) and not _DIFF_LINE.match(line):
            lines.append(line.strip("> #"))
    note = " ".join(" ".join(lines).split())
    return note if len(note) <= _LONGEST_NOTE else note[: _LONGEST_NOTE - 1].rsplit(" ", 1)[0] + "…"
