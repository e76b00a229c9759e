"""Reviewing one result: gather it, check it, accept, return, or ask a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from clawgroups.coordinator.agent_judging import unreadable, with_agent
from clawgroups.coordinator.judging import with_model
from clawgroups.core.acceptance import Finding, Verdict
from clawgroups.core.actors import Actor
from clawgroups.core.coordination import read_coordination
from clawgroups.keyed import row_of
from clawgroups.models import Approval, Artifact, Attempt, Task
from clawgroups.queries import late_files, results_of
from clawgroups.services import late, review, waiting
from clawgroups.services.checked_apart import judge
from clawgroups.services.checking import data_of, file_of
from clawgroups.services.checks import Result
from clawgroups.services.handed import replaced_by
from clawgroups.services.perform import begin, perform


def nothing_more() -> None:
    """What is left of a step that is carried out, or that nothing calls for any more."""


def review_task(task_id: UUID, actor: Actor) -> Callable[[], object]:
    """Judge the result that is in review; what is returned waits for the verdict to be written.

    Does nothing when the task has moved on.
    """
    task = row_of(Task, task_id, "attempt", "attempt__member", "workspace")
    if task is None or task.state != "in_review" or task.attempt is None:
        return nothing_more
    result = result_of(task)
    verdicts = judge(task.acceptance, result)
    if not _failed(verdicts):
        # Only where no check speaks against it: what goes back anyway need not be read.
        read = _read(task, task.attempt, result, verdicts, actor)
        if read is None:
            return nothing_more
        verdicts = read
    if failed := _failed(verdicts) or unreadable(task):
        denied = _refused_operations(task.attempt)
        return begin(review.return_task, task.pk, reasons=failed, verdicts=verdicts, denied=denied, actor=actor)
    if any(v.finding is Finding.OPEN for v in verdicts):
        return begin(waiting.ask_judge, task.pk, verdicts=[v.as_json() for v in verdicts], actor=actor)
    return begin(review.accept_task, task.pk, verdicts=verdicts, actor=actor)


def _read(
    task: Task, attempt: Attempt, result: Result, verdicts: Sequence[Verdict], actor: Actor
) -> list[Verdict] | None:
    """The verdicts with those of whoever reads what no check can judge; None while they are asked."""
    if read_coordination(task.workspace.coordination).judge == "agent":
        return with_agent(task, attempt, result, files_of(task), verdicts, actor)
    return with_model(task, attempt, result, verdicts, actor)


def _failed(verdicts: Sequence[Verdict]) -> list[str]:
    return [f"{v.line}: {v.reason}" for v in verdicts if v.finding is Finding.FAILED]


def ask_for_review(task_id: UUID, reason: str, actor: Actor) -> None:
    """Leave a result to a person without looking at it: looking is what went wrong."""
    task = Task.objects.select_related("attempt").get(pk=task_id)
    if task.state != "in_review" or task.attempt is None:
        return
    verdicts = [Verdict(line, Finding.OPEN, reason, "nobody yet").as_json() for line in task.acceptance]
    perform(waiting.ask_judge, task.pk, verdicts=verdicts, reason=reason, actor=actor)


def _refused_operations(attempt: Attempt) -> list[str]:
    """What people said no to during the attempt: without it, the next try would ask the same again."""
    refused = Approval.objects.filter(attempt=attempt, state="decided", option_kind__startswith="reject")
    return [str(a.tool_call.get("title") or "an operation")[:200] for a in refused]


def consider_late(task_id: UUID, attempt_id: UUID, actor: Actor) -> Callable[[], object]:
    """Take a late result up where no check speaks against it; else note which does, for people.

    What is returned waits until that is written.
    """
    task = Task.objects.get(pk=task_id)
    source = Attempt.objects.get(pk=attempt_id)
    verdicts = judge(task.acceptance, late_result_of(task, source))
    if any(v.finding is Finding.FAILED for v in verdicts):
        return begin(late.turn_down, source.pk, verdicts=verdicts, actor=actor)
    return begin(late.adopt_late, task.pk, source.pk, actor=actor)


def leave_late(task_id: UUID, reason: str, actor: Actor) -> None:
    """Leave a late result to people without looking at it: looking is what went wrong."""
    task = Task.objects.get(pk=task_id)
    source = late.adoptable(task)
    if source is not None:
        verdicts = [Verdict(line, Finding.OPEN, reason, "nobody yet") for line in task.acceptance or ["not_empty"]]
        perform(late.turn_down, source.pk, verdicts=verdicts, actor=actor)


def late_result_of(task: Task, source: Attempt) -> Result:
    """A late result as it would be judged if it was taken up."""
    files = tuple(file_of(row) for row in late_files(source))
    return Result(source.late_result, files, data_of(task))


def result_of(task: Task) -> Result:
    """A task's result as it is judged: its text, newest revision of each file, the run's inputs.

    Files that a person's version took the place of, before it was handed on, are no part of it.
    """
    assert task.attempt is not None
    return Result(task.attempt.result, tuple(file_of(a) for a in files_of(task)), data_of(task))


def files_of(task: Task) -> list[Artifact]:
    """The files of a task's result: the newest revision of each."""
    assert task.attempt is not None
    rows = results_of(task.pk)
    if task.attempt.member.agent_id is None:
        # A person's draft held all that was left by earlier tries: what is not in their result they took out.
        rows = [row for row in rows if row.attempt_id == task.attempt_id]
    is_replaced = replaced_by(task.brief) or (lambda _row: False)
    return list({a.name: a for a in rows if not is_replaced(a)}.values())
