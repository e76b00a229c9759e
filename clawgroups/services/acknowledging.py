"""What follows when an agent does not say that it understood a hand-back: it goes back to whoever handed it over."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from clawgroups.core.changes import Fact, Update
from clawgroups.core.durations import say_duration
from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_task
from clawgroups.core.task_events import TaskStuck
from clawgroups.core.timers import wait_for_help
from clawgroups.models import Attempt, Member, Task
from clawgroups.services.attempts import Decision, end_attempt, fence
from clawgroups.services.deadlines import name_of, timers_of, waits

NEXT = "Take it over, or assign it again"


def giver_of(task: Task) -> str:
    """The name of whoever handed a task on; of whoever must act for its run once they have left."""
    back = task.brief.get("handback", {})
    here = Member.objects.filter(workspace=task.workspace_id, left_at=None, user__is_active=True)
    found = here.filter(pk=back["from_id"]).values_list("name", flat=True).first() if back.get("from_id") else None
    return found or name_of(task.run)


def silent(task: Task, attempt: Attempt, now: datetime) -> Decision:
    """It has said nothing in the time that it has for that."""
    limit = say_duration(timers_of(task.workspace).acknowledge)
    decision = _back(task, attempt, f"{attempt.member.name} did not say within {limit} that it understood", now)
    # Not one that has just been acknowledged.
    decision.writes.append(Update("clawgroups.Attempt", attempt.pk, {}, {"start_by": attempt.start_by}))
    return decision


def not_understood(task: Task, attempt: Attempt, now: datetime, *, why: str, answered: UUID) -> Decision:
    """Its answer was no acknowledgement: empty, or a refusal; `why` says which."""
    said = f"{attempt.member.name} did not take up what changed: {why}"
    return _back(task, attempt, said, now, AttemptVerb.REFUSE, answered)


def _back(
    task: Task,
    attempt: Attempt,
    said: str,
    now: datetime,
    verb: AttemptVerb = AttemptVerb.EXPIRE,
    answered: UUID | None = None,
) -> Decision:
    reason = f"{said.rstrip('.')}. {NEXT}."
    failure, epoch = Failure.NOT_ACKNOWLEDGED, task.epoch + 1
    decision = end_attempt(attempt, verb, now, reason=reason, failure=failure, answered=answered)
    values: dict[str, Any] = {
        "state": move_task(task.state, TaskVerb.STICK).value,
        "epoch": epoch,
        "attempt_id": None,
        "assignee_id": None,
        "reason": reason,
        "failure": failure.value,
        **waits(task, wait_for_help(now, timers_of(task.workspace), giver_of(task)), now),
    }
    decision.writes.append(Update("clawgroups.Task", task.pk, values, fence(task)))
    decision.facts.append(Fact(task.workspace_id, TaskStuck(task_id=task.pk, reason=reason, epoch=epoch)))
    return decision
