"""The writer: a report from what the other tasks left, or a returned report taken further without losing edits."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import PurePosixPath

from agents.builtin import sections
from agents.builtin.analyst import stems_of
from agents.builtin.brief import Brief, Reason
from agents.builtin.compose import compose, notes, others
from agents.builtin.document import Document
from agents.builtin.facts import from_profile
from agents.builtin.failures import NoInputError, TableError
from agents.builtin.figures import joined, name
from agents.builtin.marks import Mark
from agents.builtin.material import REPORT, Material, gather, write
from agents.builtin.profile import profile_table
from agents.builtin.revise import Revision, revise
from agents.builtin.tables import Check, open_tables
from agents.builtin.turn import Turn

_NEEDS = (
    "There is nothing to write from: this folder holds no profile, no table and no text of another task. "
    "Give this task the result of an analysis, a CSV or XLSX file, or notes as notes.md."
)


async def write_report(turn: Turn, brief: Brief) -> None:
    """Write report.md and say it, section by section; refuses when there is nothing to write from."""
    await turn.plan(["Read the material", "Compose the report", "Write it out"])
    async with turn.step("Read the material", "read") as step:
        material = await turn.work(gather, turn.folder, brief.inputs)
        unread = await turn.work(profile_missing, material, turn.check)
        step.note(_contents(material))
        for reason in unread:
            step.note(reason)
    brief = _as_feedback(brief, material)
    base = _base(brief, material)
    if base is None and not (material.profiles or others(material) or notes(material)):
        raise NoInputError("\n\n".join([*unread, _NEEDS]))
    await turn.advance()
    fresh = await turn.work(compose, brief, material, unread)
    if base is None:
        text = str(fresh)
    else:
        text = await _revise(turn, brief, material, base, fresh)
    await turn.advance()
    await turn.say(text)
    async with turn.step(f"Write {REPORT}", "edit", REPORT) as step:
        await turn.work(write, turn.folder, REPORT, text)
        step.note(f"{len(text.split()):,} words.")
    await turn.advance()


async def _revise(turn: Turn, brief: Brief, material: Material, base: str, fresh: Document) -> str:
    earlier = material.report if material.draft is not None else None
    if not (material.profiles or material.texts):
        fresh = Document("", ())
    revision = await turn.work(revise, base, earlier, fresh, brief, lambda mark: value_of(material, mark))
    await turn.say(account(revision))
    return revision.text


def profile_missing(material: Material, check: Check) -> list[str]:
    """Profile the tables that came without a profile; the result says which could not be read and why."""
    known = {profile["file"] for profile in material.profiles.values()}
    stems = stems_of(material.tables)
    unread = []
    for file in material.tables:
        if file in known or PurePosixPath(file).name in known:
            continue
        try:
            with open_tables(material.path(file), file, check) as tables:
                for table in tables:
                    material.profiles[f"{stems[file]}#{table.sheet or ''}"] = profile_table(table, check)[0]
        except TableError as error:
            unread.append(str(error))
    return unread


def value_of(material: Material, mark: Mark) -> Decimal | None:
    """What the profiles say for a mark, or None."""
    for profile in material.profiles.values():
        if profile["table"] == mark.table:
            return from_profile(profile, mark).value
    return None


def _base(brief: Brief, material: Material) -> str | None:
    """The text to take further: a person's draft always, our own report only when it was sent back."""
    if material.draft is not None:
        return material.draft
    return material.report if brief.feedback or brief.note else None


def _as_feedback(brief: Brief, material: Material) -> Brief:
    """A person's direct word about a text that is there is a reason to change it."""
    direct = brief.turn == "steer" or not brief.told
    there = material.draft is not None or material.report is not None
    if direct and there and brief.text.strip() and not brief.feedback:
        return replace(brief, feedback=(Reason("", brief.text.strip()),))
    return brief


def account(revision: Revision) -> str:
    """What was done with a returned text, and what could not be done."""
    parts = []
    if revision.done:
        parts.append("Your text is kept. I " + joined(revision.done) + ".")
    else:
        parts.append("Your text is kept as it is; I found nothing to change.")
    if revision.left:
        parts.append(
            "I could not act on this, because the material gives no answer to it:\n\n" + sections.bullet(revision.left)
        )
    return "\n\n".join(parts) + "\n"


def _contents(material: Material) -> str:
    parts = [name(profile["table"]) for profile in material.profiles.values()] + [name(file) for file in material.texts]
    return f"Found {joined(parts)}." if parts else "Found nothing to write from."
