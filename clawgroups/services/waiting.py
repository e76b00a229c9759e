"""Saying why a ready task waits, without moving it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.errors import Conflict
from clawgroups.core.task_events import TaskParked
from clawgroups.core.timers import wait_for_agent, wait_for_judge
from clawgroups.permissions import get_task, require
from clawgroups.services.attempts import check_unpaused, fence
from clawgroups.services.deadlines import judge_name, timers_of, waits


def park_task(task_id: UUID, *, reason: str, who: str, match: Mapping[str, Any], actor: Actor) -> Future[Outcome]:
    """A ready task waits for somebody outside, e.g. an agent that is offline: say for whom."""
    task = get_task(actor, task_id, "task.view")
    expects = require(actor, "task.stick", task.workspace_id)
    if task.state not in ("ready", "stuck"):
        raise Conflict(f"This task is {task.state.replace('_', ' ')}; it does not wait for anybody to take it.")
    check_unpaused(task)
    now = timezone.now()
    waiting = waits(task, wait_for_agent(now, timers_of(task.workspace), who), now)
    values = {"reason": reason, "match": dict(match), **waiting}
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (Update("clawgroups.Task", task.pk, values, fence(task)),),
            (Fact(task.workspace_id, TaskParked(task_id=task.pk, reason=reason)),),
            verb="task.park",
            answer={"id": str(task.pk)},
        )
    )


BY_A_PERSON = "Some acceptance lines must be judged by a person."


def ask_judge(
    task_id: UUID, *, verdicts: list[dict[str, str]], actor: Actor, reason: str = BY_A_PERSON
) -> Future[Outcome]:
    """Some acceptance lines need a reader: a person must judge them, with what was checked beside."""
    task = get_task(actor, task_id, "task.review")
    expects = require(actor, "task.review", task.workspace_id)
    if task.attempt is None or task.state != "in_review":
        raise Conflict(f"This task is {task.state.replace('_', ' ')}; there is no result to judge now.")
    now = timezone.now()
    waiting = waits(task, wait_for_judge(now, timers_of(task.workspace), judge_name(task)), now)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (
                Update("clawgroups.Task", task.pk, {"reason": reason, **waiting}, fence(task)),
                Update("clawgroups.Attempt", task.attempt.pk, {"verdicts": verdicts}, {"state": "submitted"}),
            ),
            (Fact(task.workspace_id, TaskParked(task_id=task.pk, reason=reason)),),
            verb="task.ask_judge",
            answer={"id": str(task.pk)},
        )
    )
