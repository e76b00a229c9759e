"""Work in the hands of somebody who is not here any more: it is given on, with what was done so far.

A seat that is given up checks that nothing is in hand, and who is given work at that very moment is found
here; an agent that is retired in the middle of its work as well.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db.models import Q

from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_task
from clawgroups.core.task_events import TaskReleased
from clawgroups.models import Command, Task
from clawgroups.planned import Planned
from clawgroups.services import repairs, tasks
from clawgroups.services.asked_for import voided
from clawgroups.services.attempts import Decision, end_attempt, fence
from clawgroups.services.deadlines import wait_of_ready, waits
from clawgroups.services.drafts import unmoved
from clawgroups.services.handback_brief import given_back

GONE = Q(assignee__left_at__isnull=False) | Q(assignee__agent__retired_at__isnull=False)


def left_behind(now: datetime, limit: int) -> list[Callable[[], Future[Outcome]]]:
    """A verb for each task that somebody who has left still has in hand or holds."""
    return [partial(_hand_back if task.state == "held" else _give_on, task, now) for task in _left(most=limit)]


def owed_to_nobody(limit: int) -> list[Callable[[], Future[Outcome]]]:
    """A verb for each retired agent for which frames of attempts that are over still wait: nobody comes for them."""
    return [partial(repairs.void_owed, pk) for pk in _owed(most=limit)]


_left: Planned[Task] = Planned(
    lambda most: Task.objects.select_related("assignee", "attempt__member", "run", "workspace").filter(
        GONE, state__in=["assigned", "working", "held"]
    )[:most]
)
_owed: Planned[UUID] = Planned(
    lambda most: (
        Command.objects.filter(
            state__in=["open", "sent"], agent__retired_at__isnull=False, attempt__ended_at__isnull=False
        )
        .order_by("agent_id")
        .values_list("agent_id", flat=True)
        .distinct()[:most]
    )
)


def _reason(task: Task) -> str:
    return f"{task.assignee.name if task.assignee else 'its member'} is not here any more"


def _give_on(task: Task, now: datetime) -> Future[Outcome]:
    return tasks.release_task(task.pk, reason=_reason(task), epoch=task.epoch, actor=SYSTEM)


def _hand_back(task: Task, now: datetime) -> Future[Outcome]:
    """As if the holder had handed it back without a word: what they had written and changed goes on with it."""
    decision, epoch, attempt = Decision(), task.epoch + 1, task.attempt
    if attempt is not None and attempt.ended_at is None:
        decision.writes += unmoved(attempt)
        decision.add(end_attempt(attempt, AttemptVerb.SUPERSEDE, now, reason=_reason(task)))
    decision.add(voided(task, now))
    values = {
        "state": move_task(task.state, TaskVerb.HAND_BACK).value,
        "epoch": epoch,
        "holder_id": None,
        "assignee_id": None,
        "attempt_id": None,
        "reason": _reason(task),
        **({} if attempt is None else {"brief": given_back(task, attempt)}),
        **waits(task, wait_of_ready(task, now), now),
    }
    fact = TaskReleased(
        task_id=task.pk, attempt_id=task.attempt_id, reason=_reason(task), epoch=epoch, failure=Failure.RELEASED.value
    )
    return commit.submit(
        Change(
            SYSTEM,
            task.workspace_id,
            writes=(Update("clawgroups.Task", task.pk, values, fence(task)), *decision.writes),
            facts=(Fact(task.workspace_id, fact), *decision.facts),
            verb="task.left_behind",
            wakes=tuple(decision.wakes),
        )
    )
