"""Stop means stop: an agent at a task, every agent of a run, every agent of a workspace (reliability.md 2.5).

The change is the commit point: from there the writes of whoever was stopped are refused. Then `session/cancel` is sent
and confirmed, or the sweep says that it is not; `services.contact` flags the agent, and its socket is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.control_events import TaskStopped
from clawgroups.core.errors import Conflict, Forbidden
from clawgroups.core.events import RunPaused
from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import TaskVerb, move_task
from clawgroups.core.task_events import TaskReleased, TaskStuck
from clawgroups.core.timers import wait_for_help, wait_for_resume
from clawgroups.fragments.stop_progress import EVERYTHING
from clawgroups.models import Run, Task
from clawgroups.permissions import get_run, get_task, get_workspace, require, seat_of
from clawgroups.services import steering
from clawgroups.services.attempts import Decision, fence
from clawgroups.services.deadlines import name_of, rest_of_ready, timers_of, waits
from clawgroups.services.hands import check_seen
from clawgroups.services.interrupted import IN_HAND, check_reachable, name_here, set_down
from clawgroups.services.perform import insisting
from clawgroups.services.workspaces import clean_text

NOT_RUNNING = "not_running"
PIECE = 50  # turns that are stopped in one change: an agent that is quicker than us undoes no more than that


def stop_task(
    task_id: UUID, *, actor: Actor, reason: str = "", epoch: int | None = None, operation: str = ""
) -> Future[Outcome]:
    """Stop the agent that is at a task; then a person says how the task goes on. What was done so far is kept.

    `epoch` is the one that was looked at. Answer: {"id", "state", "epoch", "attempt"}. Raises `Conflict`, saying who
    has the task, where no agent is at it.
    """
    task = get_task(actor, task_id, "task.stop")
    expects = require(actor, "task.stop", task.workspace_id)
    check_seen(task, epoch)
    check_reachable(task, "stop")
    if task.state not in IN_HAND or task.assignee is None or task.attempt_id is None:
        raise Conflict(f"No agent is at this task: {_waits_for(task)}.", code="nobody_at_it", state=task.state)
    why = clean_text(reason, what="Reason", limit=1000).rstrip(".")
    now, name = timezone.now(), name_here(actor, task)
    decision, values = set_down(task, name, f"{name} stopped it{f': {why}' if why else ''}", now)
    values |= {
        "state": move_task(task.state, TaskVerb.STICK).value,
        "failure": Failure.HALTED.value,
        "reason": _plea(name, why, task.assignee.name),
        **waits(task, wait_for_help(now, timers_of(task.workspace), name), now),
    }
    stopped = TaskStopped(task_id=task.pk, attempt_id=task.attempt_id, member_id=task.assignee.pk)
    stuck = TaskStuck(task_id=task.pk, reason=values["reason"], epoch=task.epoch + 1)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (Update("clawgroups.Task", task.pk, values, fence(task)), *decision.writes),
            (*(Fact(task.workspace_id, fact) for fact in (stopped, stuck)), *decision.facts),
            operation,
            verb="task.stop",
            answer={
                "id": str(task.pk),
                "state": values["state"],
                "epoch": task.epoch + 1,
                "attempt": str(task.attempt_id),
            },
            wakes=tuple(decision.wakes),
        )
    )


def _plea(name: str, why: str, agent: str) -> str:
    said = f"{name} stopped it: {why}." if why else f"{name} stopped it."
    return f"{said} Let {agent} go on, give it to somebody else, write it anew, take it over, or cancel it."


def _waits_for(task: Task) -> str:
    if task.paused:
        return f"{task.paused} paused it"
    who = f" and waits for {task.next_actor}" if task.next_actor else ""
    return f"it is {task.state.replace('_', ' ')}{who}"


@insisting(10)
def stop_run(run_id: UUID, *, actor: Actor, more: bool = False, operation: str = "") -> Future[Outcome]:
    """Pause a run and stop every agent that is at one of its tasks, at most `PIECE` of them in this change.

    Answer: {"id", "paused", "asked", "left"}; `stop_all` stops what is left by others with `more`, which do nothing
    once the run goes on again, or is over. People keep what they hold, and the same agents go on when the run does.
    """
    run = get_run(actor, run_id, "run.stop")
    expects = require(actor, "run.stop", run.workspace_id)
    if run.state != "running" and not more:
        raise Conflict(f"Only a running run can be stopped; this one is {run.state}.", code=NOT_RUNNING)
    unmoved = {"state": run.state, "paused": run.paused, "budget_stop": run.budget_stop}
    in_hand = Task.objects.filter(run=run, state__in=IN_HAND, assignee__agent__isnull=False)
    count = 0 if more and not (run.paused and run.state == "running") else in_hand.count()
    tasks = list(in_hand.select_related("attempt", "assignee").order_by("position")[: PIECE if count else 0])
    decision, now = Decision(), timezone.now()
    if not more or count:
        decision = _stopped(run, tasks, _name(actor, run), now)
        decision.add(steering.set_aside(run, now))
        if not run.paused or (tasks and not more):
            decision.facts.append(Fact(run.workspace_id, RunPaused(run_id=run.pk, stopped=True)))
        run.paused = True
        decision.writes.insert(0, Update("clawgroups.Run", run.pk, _pause(actor, run), unmoved))
        decision.writes += rest_of_ready(run, now)
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            tuple(decision.writes),
            tuple(decision.facts),
            operation,
            verb="run.stop",
            answer={"id": str(run.pk), "paused": run.paused, "asked": len(tasks), "left": count - len(tasks)},
            wakes=tuple(dict.fromkeys(decision.wakes)),
        )
    )


def _pause(actor: Actor, run: Run) -> dict[str, Any]:
    return {"paused": True, "reason": f"{_name(actor, run)} {EVERYTHING}."}


def _name(actor: Actor, run: Run) -> str:
    seat = seat_of(actor, run.workspace_id)
    if seat is None or seat.user_id is None:
        raise Forbidden("Only a person can stop everything.")
    return seat.name


def _stopped(run: Run, tasks: Sequence[Task], name: str, now: datetime) -> Decision:
    """These tasks are ready again, and wait for whoever lets the run go on."""
    decision, wait, said = Decision(), wait_for_resume(name_of(run)), f"{name} {EVERYTHING}"
    for task in tasks:
        task.run, task.workspace = run, run.workspace
        ended, values = set_down(task, name, said, now)
        decision.add(ended)
        values |= {"state": move_task(task.state, TaskVerb.RELEASE).value, **waits(task, wait, now)}
        decision.writes.append(Update("clawgroups.Task", task.pk, values, fence(task)))
        if task.attempt_id is not None and task.assignee_id is not None:
            stopped = TaskStopped(task_id=task.pk, attempt_id=task.attempt_id, member_id=task.assignee_id)
            decision.facts.append(Fact(run.workspace_id, stopped))
        released = TaskReleased(task_id=task.pk, attempt_id=task.attempt_id, reason=said, epoch=task.epoch + 1)
        decision.facts.append(Fact(run.workspace_id, released))
    return decision


def stop_workspace(workspace_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Say which runs are stopped in a workspace: each that is under way, by `stop_run`. Answer: {"id", "runs"}.

    The same operation names the same runs, also once others have begun.
    """
    workspace = get_workspace(actor, workspace_id, "workspace.stop")
    expects = require(actor, "workspace.stop", workspace_id)
    under_way = Run.objects.filter(workspace=workspace, state="running").order_by("created_at")
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects,
            operation=operation,
            verb="workspace.stop",
            answer={"id": str(workspace_id), "runs": [str(pk) for pk in under_way.values_list("pk", flat=True)]},
        )
    )
