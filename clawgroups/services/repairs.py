"""What the watchdog does about an exception that stays: each verb is fenced by what was seen, and safe to repeat.

They say what is so (a count, whom a task waits for); what follows from it is done by the ordinary verbs.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Count, Fact, Outcome, Update
from clawgroups.core.events import RunConsolidating
from clawgroups.core.task_events import TaskParked, TaskReady
from clawgroups.core.timers import wait_for_help
from clawgroups.models import Command, Run, Task
from clawgroups.services.attempts import fence
from clawgroups.services.deadlines import timers_of, waits, waits_when_ready


def recount_parents(task_id: UUID, *, was: int, should: int) -> Future[Outcome]:
    """Set right how many earlier tasks a task waits for; at none it is ready, in a run that was started."""
    task = Task.objects.select_related("workspace", "run__workspace").get(pk=task_id)
    values: dict[str, Any] = {"waiting_on": should}
    facts: tuple[Fact, ...] = ()
    if should == 0 and task.state == "waiting" and task.run.state == "running":
        values |= {"state": "ready", **waits_when_ready(task.run, timezone.now())}
        facts = (Fact(task.workspace_id, TaskReady(task_id=task.pk, run_id=task.run_id)),)
    write = Update("clawgroups.Task", task.pk, values, {**fence(task), "waiting_on": was})
    return commit.submit(Change(SYSTEM, task.workspace_id, writes=(write,), facts=facts, verb="repair.parents"))


def recount_tasks(run_id: UUID, *, was: int, should: int) -> Future[Outcome]:
    """Set right how many tasks of a run are open; at none it is consolidated."""
    run = Run.objects.get(pk=run_id)
    count = Count(
        "clawgroups.Run",
        run.pk,
        "open_tasks",
        should - was,
        {"state": "running"},
        {"state": "consolidating"},
        (Fact(run.workspace_id, RunConsolidating(run_id=run.pk)),),
    )
    seen = Update("clawgroups.Run", run.pk, {}, {"state": run.state, "open_tasks": was})
    return commit.submit(Change(SYSTEM, run.workspace_id, writes=(seen, count), verb="repair.tasks"))


def name_person(task_id: UUID, *, reason: str, who: str) -> Future[Outcome]:
    """Say that a task waits for this person, and why, without moving it."""
    task = Task.objects.select_related("workspace", "run").get(pk=task_id)
    now = timezone.now()
    waiting = waits(task, wait_for_help(now, timers_of(task.workspace), who), now)
    return commit.submit(
        Change(
            SYSTEM,
            task.workspace_id,
            writes=(Update("clawgroups.Task", task.pk, {"reason": reason, **waiting}, fence(task)),),
            facts=(Fact(task.workspace_id, TaskParked(task_id=task.pk, reason=reason)),),
            verb="repair.person",
        )
    )


def void_owed(agent_id: UUID) -> Future[Outcome]:
    """Give up the frames of attempts that are over which wait for an agent that was retired."""
    rows = Command.objects.filter(agent_id=agent_id, state__in=["open", "sent"]).exclude(attempt__ended_at=None)
    writes = tuple(
        Update("clawgroups.Command", pk, {"state": "void" if state == "open" else "interrupted"}, {"state": state})
        for pk, state in rows.values_list("pk", "state")[:500]
    )
    return commit.submit(Change(SYSTEM, writes=writes, verb="repair.owed"))
