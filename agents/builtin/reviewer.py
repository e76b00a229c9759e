"""The reviewer: recomputes the numbers of a report from the raw tables and says which are wrong or without source."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from agents.builtin.brief import Brief
from agents.builtin.failures import NoInputError
from agents.builtin.figures import plural
from agents.builtin.material import DRAFT, REPORT, REVIEW, Material, gather, write
from agents.builtin.review import review, verdict
from agents.builtin.turn import Turn

_NEEDS = (
    "There is no report to review here. Give this task a text in Markdown (report.md) whose numbers name their "
    "source, as in 1,234 [sales.csv · amount · sum], and the tables it was made from."
)


async def check_report(turn: Turn, brief: Brief) -> None:
    """Write review.json and say the verdict; refuses when there is no text to review."""
    material = await turn.work(gather, turn.folder)
    file, text = _text_of(material, brief)
    await turn.plan([f"Find the numbers of {file}", "Recompute them from the data", "Say the verdict"])
    await turn.advance()
    async with turn.step(f"Recompute the numbers of {file}", "execute", file) as step:
        found = await turn.work(review, file, text, material, turn.check)
        total = len(found.checked)
        step.note(f"{total} sourced {plural(total, 'number')} checked, {len(found.wrong)} not confirmed.")
        step.note(f"{len(found.unsourced)} without a source.")
    await turn.advance()
    async with turn.step(f"Write {REVIEW}", "edit", REVIEW) as step:
        content = json.dumps(found.as_json(brief.acceptance), ensure_ascii=False, indent=1) + "\n"
        await turn.work(write, turn.folder, REVIEW, content)
        step.note("pass" if found.passed else "fail")
    await turn.say(verdict(found))
    await turn.advance()


def _text_of(material: Material, brief: Brief) -> tuple[str, str]:
    """The text under review: the one the task names, else report.md, else draft.md, else the only other text."""
    texts = dict(material.texts)
    if material.report is not None:
        texts[REPORT] = material.report
    if material.draft is not None:
        texts[DRAFT] = material.draft
    named = [file for file in texts if file in brief.inputs and PurePosixPath(file).name != "notes.md"]
    for file in (REPORT, DRAFT, *named, *texts):
        if file in texts and (not named or file in named):
            return file, texts[file]
    raise NoInputError(_NEEDS)
