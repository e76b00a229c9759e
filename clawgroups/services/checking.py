"""The acceptance lines of a task held against a draft before it is handed in: a look, which writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clawgroups.core.acceptance import Finding, Verdict, parse_line
from clawgroups.core.actors import Actor
from clawgroups.core.coordination import read_coordination
from clawgroups.models import Artifact, Task
from clawgroups.queries import inputs_of
from clawgroups.services import draft_files, model_calls
from clawgroups.services.checked_apart import judge
from clawgroups.services.checks import Result, ResultFile
from clawgroups.services.deadlines import name_of
from clawgroups.services.drafts import clean_draft
from clawgroups.services.files import path_of
from clawgroups.services.hands import held
from clawgroups.services.texts import text_so_far


@dataclass(frozen=True, slots=True)
class Checked:
    """What the review's own checks would say now, line by line; a line without a check names who will judge it."""

    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> int:
        """How many lines would send it back."""
        return sum(1 for one in self.verdicts if one.finding is Finding.FAILED)

    def as_json(self) -> dict[str, Any]:
        """For the API: the lines as a review stores them, and how many fail."""
        return {"lines": [one.as_json() for one in self.verdicts], "failed": self.failed}


def check_draft(task_id: UUID, *, actor: Actor, text: str | None = None, files: Sequence[ResultFile] = ()) -> Checked:
    """Hold a draft against the task's acceptance lines. `text`: what stands in the editor; else what is saved.

    `files`: what would come along beside the files of the draft. Raises `Conflict` naming the holder for others.
    """
    task, attempt = held(task_id, actor)
    said = text_so_far(attempt) if text is None else clean_draft(text)
    named = {row.name: file_of(row) for row in draft_files.of(attempt)} | {file.name: file for file in files}
    result = Result(said.strip(), tuple(named.values()), data_of(task))
    return Checked(tuple(_told(one, task) for one in judge(task.acceptance or ["not_empty"], result)))


def file_of(row: Artifact) -> ResultFile:
    """A stored file as checks read it."""
    return ResultFile(row.name, path_of(row.sha256), row.size)


def data_of(task: Task) -> tuple[ResultFile, ...]:
    """The inputs of a task's run, which numbers are held against."""
    return tuple(file_of(row) for row in inputs_of(task.run_id))


def _told(found: Verdict, task: Task) -> Verdict:
    """A verdict; of a line that only a reader can judge: who that will be."""
    if found.finding is not Finding.OPEN or parse_line(found.line).check:
        return found
    person = name_of(task.run)
    by = read_coordination(task.workspace.coordination).judge
    if by == "agent":
        return Verdict(found.line, Finding.OPEN, f"another agent reads it; else {person}", "judged later")
    if by == "model" and not model_calls.unavailable(task.workspace):
        return Verdict(found.line, Finding.OPEN, f"a model reads it; {person} where that is not sure", "judged later")
    return Verdict(found.line, Finding.OPEN, f"{person} reads it and decides", "judged later")
