"""Asking a person whether they would do a task: it is theirs only once they take it over, and “not this one” is fine.

Who is asked stands in the task's brief, until when in `not_before`; then the coordinator looks for the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Fact, Outcome, Update
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.lifecycle import TaskVerb, move_task
from clawgroups.core.task_events import TaskParked, TaskReady
from clawgroups.core.timers import wait_for_asked, wait_for_coordinator
from clawgroups.models import Member, Task
from clawgroups.permissions import get_task, require, seat_of
from clawgroups.queries import asked_now
from clawgroups.services.attempts import fence
from clawgroups.services.choices import check_chosen
from clawgroups.services.deadlines import timers_of, waits

MOST = 20  # asked or refusing members that a task remembers


def asked_of(users: Iterable[int], now: datetime) -> list[int]:
    """Whom of these people is asked for a task at this moment, once for each of their tasks."""
    waiting = Task.objects.filter(state="ready", blocked_on="person", not_before__gt=now).only(
        "state", "blocked_on", "not_before", "brief"
    )
    seats = [pk for task in waiting if (pk := asked_now(task, now)) is not None]
    if not seats:
        return []
    user_of = dict(Member.objects.filter(pk__in=seats, user_id__in=list(users)).values_list("pk", "user_id"))
    return [user for pk in seats if (user := user_of.get(pk)) is not None]


def ask_member(task_id: UUID, *, member_id: UUID, match: Mapping[str, Any], actor: Actor) -> Future[Outcome]:
    """Ask a person for a ready or stuck task. Nothing is assigned: they take it over, decline, or let it pass."""
    task = get_task(actor, task_id, "task.assign")
    expects = require(actor, "task.assign", task.workspace_id)
    member = Member.objects.filter(pk=member_id, workspace_id=task.workspace_id, left_at=None).first()
    if member is None or member.user_id is None or not member.capacity:
        raise Invalid("Choose a person here who may be asked.", field="member")
    if task.run.state != "running":
        raise Conflict(f"The run is {task.run.state}; nobody is asked now.", code="run_not_running")
    stuck = task.state == "stuck"
    if not stuck and task.state != "ready":
        raise Conflict(f"This task is {task.state.replace('_', ' ')}; it does not wait for anybody to take it.")
    unmoved = {**check_chosen(task, member.pk, actor), "brief": task.brief, "not_before": task.not_before}
    now = timezone.now()
    wait = wait_for_asked(now, timers_of(task.workspace), member.name)
    asked = [*(one for one in task.brief.get("asked", []) if one != str(member.pk)), str(member.pk)]
    reason = f"{member.name} is asked to do it: take it over, or say “not this one”."
    values = {
        "state": move_task(task.state, TaskVerb.RELEASE).value if stuck else task.state,
        "brief": {**task.brief, "asked": asked[-MOST:]},
        "not_before": wait.deadline,
        "match": dict(match),
        "reason": reason,
        **waits(task, wait, now),
    }
    parked = Fact(task.workspace_id, TaskParked(task_id=task.pk, reason=reason))
    ready = [Fact(task.workspace_id, TaskReady(task_id=task.pk, run_id=task.run_id))] if stuck else []
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (
                *expects,
                Expect("clawgroups.Run", task.run_id, {"state": "running", "paused": False}),
                Expect("clawgroups.Member", member.pk, {"left_at": None}),
            ),
            (Update("clawgroups.Task", task.pk, values, unmoved),),
            (*ready, parked),
            verb="task.ask",
            answer={"id": str(task.pk), "member": str(member.pk)},
        )
    )


def decline_task(task_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Say “not this one”: the person who is asked is not asked for it again, and somebody else is looked for."""
    task = get_task(actor, task_id, "task.take_over")
    expects = require(actor, "task.take_over", task.workspace_id)
    now, seat = timezone.now(), seat_of(actor, task.workspace_id)
    if seat is None or asked_now(task, now) != seat.pk:
        raise Conflict("You are not asked for this task any more.", code="not_asked")
    brief = {
        **task.brief,
        "asked": [one for one in task.brief["asked"] if one != str(seat.pk)],
        "refused": [*task.brief.get("refused", []), str(seat.pk)][-MOST:],
    }
    if brief.get("only") == str(seat.pk):
        brief.pop("only")
    values = {
        "brief": brief,
        "not_before": None,
        "reason": f"{seat.name} said “not this one”.",
        **waits(task, wait_for_coordinator(now, timers_of(task.workspace)), now),
    }
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (Update("clawgroups.Task", task.pk, values, {**fence(task), "not_before": task.not_before}),),
            (Fact(task.workspace_id, TaskReady(task_id=task.pk, run_id=task.run_id)),),
            operation,
            verb="task.decline",
            answer={"id": str(task.pk), "state": "ready"},
        )
    )
