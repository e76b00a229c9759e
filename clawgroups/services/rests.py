"""Rests that do not fit their task: found and put right, so that no clock stands still or runs on unseen.

Verbs begin and end rests in the change that makes a task wait for somebody else. Two of them at once
may cross, and a run may be paused between two looks; what that leaves is mended here.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q

from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.clocks import task_after_rest
from clawgroups.core.lifecycle import TASK_TERMINAL
from clawgroups.core.task_events import TaskParked
from clawgroups.models import Approval, Run, Task
from clawgroups.planned import Planned
from clawgroups.services import approvals
from clawgroups.services.attempts import fence
from clawgroups.services.deadlines import rest_of_ready, timers_of, wait_of_ready, waits

Verb = Callable[[], Future[Outcome]]
IN_HAND = Q(state__in=["assigned", "working"])
STOPPED_RUN = Q(run__paused=True) | ~Q(run__budget_stop="")
PERSON = Q(state__in=["held", "stuck"]) | Q(state__in=["in_review", "ready"], blocked_on="person")


def amiss(now: datetime, limit: int) -> list[Verb]:
    """A verb for every task whose rest is wrong."""
    verbs: list[Verb] = []
    for task in _wrong(most=limit):
        crossed = task.state in ("assigned", "working")
        verbs.append(partial(approvals.look_again, task.pk, now) if crossed else partial(_end, task, now))
    verbs += [partial(approvals.look_again, pk, now) for pk in dict.fromkeys(_unseen(most=limit))]
    verbs += [partial(_set, task, {"resting_since": now}) for task in _begun(most=limit)]
    verbs += [partial(_rest, task, now) for task in _unseen_pause(most=limit)]
    return [*verbs, *(partial(_pause, run, now) for run in _stopped())]


# Those that rest and should not, and those that should and do not.
_wrong: Planned[Task] = Planned(
    lambda most: (
        Task.objects.select_related("workspace")
        .filter(resting_since__isnull=False)
        .annotate(asked=Exists(Approval.objects.filter(task=OuterRef("pk"), epoch=OuterRef("epoch"), state="open")))
        .exclude(PERSON | (IN_HAND & Q(asked=True)) | Q(state="ready") & (STOPPED_RUN | ~Q(paused="")))[:most]
    )
)
_unseen: Planned[UUID] = Planned(
    lambda most: Approval.objects.filter(
        state="open", epoch=F("task__epoch"), task__resting_since=None, task__state__in=["assigned", "working"]
    ).values_list("task_id", flat=True)[:most]
)
_begun: Planned[Task] = Planned(
    lambda most: Task.objects.filter(PERSON, resting_since=None, blocked_on="person", run__state="running")[:most]
)
_unseen_pause: Planned[Task] = Planned(
    lambda most: (
        Task.objects.select_related("workspace", "run")
        .filter(state="ready", resting_since=None)
        .exclude(paused="")[:most]
    )
)
_stopped: Planned[Run] = Planned(
    lambda: (
        Run.objects.select_related("workspace")
        .filter(Q(paused=True) | ~Q(budget_stop=""), state="running")
        .filter(Exists(Task.objects.filter(run=OuterRef("pk"), state="ready", paused="", resting_since=None)))
    )
)


def _end(task: Task, now: datetime) -> Future[Outcome]:
    values: dict[str, Any] = {"resting_since": None}
    if task.state not in TASK_TERMINAL and task.resting_since is not None:
        values["close_by"] = task_after_rest(task.close_by, task.resting_since, now, timers_of(task.workspace))
    return _set(task, values)


def _set(task: Task, values: dict[str, Any]) -> Future[Outcome]:
    expect = {**fence(task), "resting_since": task.resting_since}
    write = Update("clawgroups.Task", task.pk, values, expect)
    return commit.submit(Change(SYSTEM, task.workspace_id, writes=(write,), verb="task.rest"))


def _rest(task: Task, now: datetime) -> Future[Outcome]:
    """A paused task that has become ready: its time begins to rest, and it says who may let it go on."""
    values = waits(task, wait_of_ready(task, now), now)
    write = Update("clawgroups.Task", task.pk, values, {**fence(task), "resting_since": None})
    fact = Fact(task.workspace_id, TaskParked(task_id=task.pk, reason=task.reason))
    return commit.submit(Change(SYSTEM, task.workspace_id, writes=(write,), facts=(fact,), verb="task.rest"))


def _pause(run: Run, now: datetime) -> Future[Outcome]:
    still = Update(
        "clawgroups.Run", run.pk, {}, {"state": "running", "paused": run.paused, "budget_stop": run.budget_stop}
    )
    writes = (still, *rest_of_ready(run, now))
    return commit.submit(Change(SYSTEM, run.workspace_id, writes=writes, verb="run.rest"))
