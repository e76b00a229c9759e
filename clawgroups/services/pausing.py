"""One task rests: it is given to nobody, and its time stands still, until somebody lets it go on."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.control_events import TaskPaused, TaskResumed
from clawgroups.core.errors import Conflict
from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import TaskVerb, move_task
from clawgroups.core.task_events import TaskReady, TaskReleased
from clawgroups.core.timers import wait_for_help
from clawgroups.models import Member, Task
from clawgroups.permissions import get_task, require
from clawgroups.queries import asked_now
from clawgroups.services import passing
from clawgroups.services.attempts import Decision, fence
from clawgroups.services.deadlines import timers_of, wait_of_ready, waits
from clawgroups.services.hands import check_seen
from clawgroups.services.interrupted import IN_HAND, check_reachable, name_here, set_down
from clawgroups.services.stuck import who_can_help

SETTLE = 3.0  # seconds that an agent is given to confirm a stop before its task goes on


def pause_task(task_id: UUID, *, actor: Actor, epoch: int | None = None, operation: str = "") -> Future[Outcome]:
    """Have nothing of a task go on. The agent at it is stopped, and goes on later with what it had.

    `epoch` is the one that was looked at. Answer: {"id", "state", "epoch", "paused"}. Raises `Conflict` for a task
    that is over, held, in review or paused already, and where the page was older.
    """
    task = get_task(actor, task_id, "task.pause")
    expects = require(actor, "task.pause", task.workspace_id)
    check_seen(task, epoch)
    check_reachable(task, "pause")
    if task.paused:
        raise Conflict(f"{task.paused} paused this task already.", code="already_paused", by=task.paused)
    now, unmoved, name = timezone.now(), fence(task), name_here(actor, task)
    if task.state == "ready":
        unmoved |= {"brief": task.brief, "not_before": task.not_before}
    decision, values = _paused(task, name, now)
    decision.writes.insert(0, Update("clawgroups.Task", task.pk, values, unmoved))
    decision.facts.append(Fact(task.workspace_id, TaskPaused(task_id=task.pk, run_id=task.run_id, by=name)))
    return _submit(task, actor, expects, decision, values, operation, "task.pause")


def _paused(task: Task, name: str, now: datetime) -> tuple[Decision, dict[str, Any]]:
    decision, values = Decision(), dict[str, Any]()
    if task.state in IN_HAND:
        said = f"{name} paused it"
        decision, values = set_down(task, name, said, now)
        values["state"] = move_task(task.state, TaskVerb.RELEASE).value
        released = TaskReleased(task_id=task.pk, attempt_id=task.attempt_id, reason=said, epoch=task.epoch + 1)
        decision.facts.append(Fact(task.workspace_id, released))
    elif task.state == "ready" and asked_now(task, now) is not None:
        # Nobody is asked for what is paused; who was asked by a person is asked again when it goes on.
        values = {"brief": {**task.brief, "asked": task.brief["asked"][:-1]}, "not_before": None, "reason": ""}
    task.paused = name
    values["paused"] = name
    if task.state != "waiting":
        values |= waits(task, wait_of_ready(task, now), now)
    return decision, values


def resume_task(task_id: UUID, *, actor: Actor, epoch: int | None = None, operation: str = "") -> Future[Outcome]:
    """Let a task go on that was paused, or whose agent was stopped: the same one goes on with what it had.

    Answer and arguments as for `pause_task`. Raises `Conflict` where neither is so.
    """
    task = get_task(actor, task_id, "task.pause")
    expects = require(actor, "task.pause", task.workspace_id)
    check_seen(task, epoch)
    check_reachable(task, "resume")
    halted = task.state == "stuck" and task.failure == Failure.HALTED
    if not task.paused and not halted:
        state = task.state.replace("_", " ")
        raise Conflict(f"Nobody paused or stopped this task; it is {state}.", code="not_paused", state=task.state)
    now, unmoved = timezone.now(), fence(task)
    decision, values = _resumed(task, now)
    decision.writes.insert(0, Update("clawgroups.Task", task.pk, values, unmoved))
    decision.facts.append(Fact(task.workspace_id, TaskResumed(task_id=task.pk, run_id=task.run_id)))
    return _submit(task, actor, expects, decision, values, operation, "task.resume")


def _resumed(task: Task, now: datetime) -> tuple[Decision, dict[str, Any]]:
    decision, values = Decision(), {"paused": ""}
    if not task.paused:
        values |= {"state": move_task(task.state, TaskVerb.RELEASE).value, "failure": "", "reason": ""}
        decision.facts.append(Fact(task.workspace_id, TaskReady(task_id=task.pk, run_id=task.run_id)))
    elif task.state == "stuck":
        # It was stuck before it was paused, and still is.
        task.paused = ""
        help_from = wait_for_help(now, timers_of(task.workspace), who_can_help(task))
        return decision, {**values, **waits(task, help_from, now)}
    task.paused = ""
    if task.state == "waiting":
        return decision, values
    settled = _settled(task, now)
    later = {} if settled is None else {"not_before": settled}
    asked = _asked_again(task, now)
    return decision, {**values, **(asked or {**later, **waits(task, wait_of_ready(task, now), now)})}


def _asked_again(task: Task, now: datetime) -> dict[str, Any]:
    """Whom a person had given it to is asked once more, with all the time that one has for that."""
    given = task.brief.get("given") or []
    if task.state != "ready" or not given or task.brief.get("only") not in (None, given[-1]["to"]):
        return {}
    member = Member.objects.filter(pk=given[-1]["to"], left_at=None, user__is_active=True).first()
    return {} if member is None else passing.asks(task, member, now, brief=task.brief, given=given)


def _settled(task: Task, now: datetime) -> datetime | None:
    """Until when it waits for the stop to be confirmed: only then can the agent go on in the session that it had."""
    last = task.attempts.last()
    if last is None or last.stop != "asked" or last.ended_at is None:
        return None
    until = last.ended_at + timedelta(seconds=SETTLE * settings.CLOCK_SCALE)
    return until if until > now else None


def _submit(
    task: Task,
    actor: Actor,
    expects: tuple[Any, ...],
    decision: Decision,
    values: dict[str, Any],
    operation: str,
    verb: str,
) -> Future[Outcome]:
    answer = {
        "id": str(task.pk),
        "state": values.get("state", task.state),
        "epoch": values.get("epoch", task.epoch),
        "paused": values["paused"],
    }
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            tuple(decision.writes),
            tuple(decision.facts),
            operation,
            verb=verb,
            answer=answer,
            wakes=tuple(decision.wakes),
        )
    )
