"""Which deadlines an open task and its attempt carry, and who is named when a person must act.

Deadlines are absolute columns; all but the run's rest while a person is waited for. Every verb that
moves a task gets its columns here, so that no rest is begun or ended in two ways.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from clawgroups.core.actors import Role
from clawgroups.core.changes import Update
from clawgroups.core.clock import utc_now
from clawgroups.core.clocks import COLUMNS, InHand, attempt_after_rest, task_after_rest, wait_in_hand
from clawgroups.core.timers import (
    NO_WAIT,
    Bounds,
    Timers,
    Wait,
    after,
    wait_for_budget,
    wait_for_coordinator,
    wait_for_resume,
    wait_for_unpause,
)
from clawgroups.models import Attempt, Member, Run, Task, Workspace
from clawgroups.permissions import ACTIONS
from clawgroups.planned import Planned

# What a task waits for once it is over.
CLOSED: dict[str, Any] = {**NO_WAIT.columns(), "resting_since": None}
NOBODY = "the owner of the workspace"
RAISE = "Raise it, or cancel the run."


def database_now() -> datetime:
    """The database's time, by which every process's leases are compared. SQLite has none: it is for one machine."""
    if connection.vendor != "postgresql":
        return utc_now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def timers_of(workspace: Workspace) -> Timers:
    """The deadlines that hold in a workspace, on this installation's clock scale."""
    return Timers().overridden(workspace.timers).scaled(settings.CLOCK_SCALE)


def waits(task: Task, wait: Wait, now: datetime) -> dict[str, Any]:
    """The columns of a task that waits for this from now on: for whom, by when, what then; a rest begins or ends."""
    since, close_by = task.resting_since, task.close_by
    if wait.rests:
        since = since or now
    elif since is not None:
        close_by = task_after_rest(close_by, since, now, timers_of(task.workspace))
        since = None
    bounds = Bounds(close_by, task.run.deadline_at)
    return {**wait.columns(bounds), "resting_since": since, "close_by": close_by}


def waits_when_ready(run: Run, now: datetime) -> dict[str, Any]:
    """The columns of a task whose parents are done (or that has none): from now on the time it has in all runs."""
    timers = timers_of(run.workspace)
    close_by = after(now, timers.task_total)
    wait = wait_for_coordinator(now, timers).columns(Bounds(close_by, run.deadline_at))
    return {**wait, "resting_since": None, "close_by": close_by}


def waits_in_hand(task: Task, work: InHand, name: str, now: datetime) -> dict[str, Any]:
    """`waits` for an attempt in an agent's hands."""
    return waits(task, wait_in_hand(work, timers_of(task.workspace), name), now)


def in_hand(attempt: Attempt, **changes: Any) -> InHand:
    """An attempt's clocks, with these columns changed. What is known of its link is not among them."""
    names = ("contact", "start_by", "close_by", "back_by", "progress_at", "quiet_since", "repeats")
    values = {name: getattr(attempt, name) for name in names}
    return InHand(**{"begun": attempt.state == "working", **values, **changes})


def rested(attempt: Attempt, task: Task, now: datetime) -> dict[str, Any]:
    """The columns of an attempt that goes on after its task's rest."""
    if task.resting_since is None:
        return {}
    columns = {name: getattr(attempt, name) for name in COLUMNS}
    return attempt_after_rest(columns, now - task.resting_since, now, timers_of(task.workspace))


_people_in: Planned[Member] = Planned(
    lambda workspace_id: Member.objects.filter(workspace=workspace_id, left_at=None, user__is_active=True)
)


def person_of(run: Run) -> Member | None:
    """The person who must act for a run: who asked for it, or once that seat is left, an owner or admin."""
    people = _people_in(run.workspace_id)
    fit = [m for m in people if m.user_id == run.created_by_id or m.role in (Role.OWNER, Role.ADMIN)]
    return min(fit, key=lambda m: (m.user_id != run.created_by_id, m.role != Role.OWNER), default=None)


def judge_of(task: Task) -> Member | None:
    """Who judges a result that a machine cannot: whoever must act for the run, unless they made it themselves."""
    author = task.attempt.member_id if task.attempt is not None else None
    first = person_of(task.run)
    if first is None or first.pk != author:
        return first
    team = [role.value for role in ACTIONS["task.review"].roles]
    here = Member.objects.filter(workspace=task.workspace_id, left_at=None, user__is_active=True, role__in=team)
    return min(here.exclude(pk=author), key=lambda m: (m.role != Role.OWNER, m.role != Role.ADMIN), default=first)


def name_of(run: Run) -> str:
    """The name of `person_of`."""
    member = person_of(run)
    return member.name if member is not None else NOBODY


def judge_name(task: Task) -> str:
    """The name of `judge_of`."""
    member = judge_of(task)
    return member.name if member is not None else NOBODY


def wait_of_ready(task: Task, now: datetime) -> Wait:
    """What a task waits for that nobody has in hand: whoever may let it, or its run, go on; else the coordinator."""
    if task.paused:
        return wait_for_unpause(task.paused)
    if task.run.paused:
        return wait_for_resume(name_of(task.run))
    if task.run.budget_stop:
        return wait_for_budget(name_of(task.run))
    return wait_for_coordinator(now, timers_of(task.workspace))


def rest_of_ready(run: Run, now: datetime) -> list[Update]:
    """Ready tasks of a run that is paused, or has used up a limit, wait for a person, and their deadlines rest.

    With the run as it stands in `run`; those of one that goes on wait for the coordinator. A task that is paused
    itself waits for that, whatever becomes of its run.
    """
    resting = run.paused or bool(run.budget_stop)
    who = name_of(run) if resting else ""
    rest = wait_for_resume(who) if run.paused else wait_for_budget(who)
    wait = rest if resting else wait_for_coordinator(now, timers_of(run.workspace))
    writes = []
    for task in Task.objects.filter(run=run, state="ready", paused=""):
        rests = task.resting_since is not None
        if resting == rests and (not resting or task.next_actor == wait.next_actor):
            continue
        task.run, task.workspace = run, run.workspace
        expect = {"state": task.state, "epoch": task.epoch, "paused": "", "resting_since": task.resting_since}
        writes.append(Update("clawgroups.Task", task.pk, {**_why(task), **waits(task, wait, now)}, expect))
    return writes


def _why(task: Task) -> dict[str, Any]:
    """What a ready task says of its run's limit, while that is what it waits for."""
    if task.run.budget_stop and not task.run.paused:
        return {"reason": f"{task.run.budget_stop} {RAISE}"}
    return {"reason": ""} if task.reason.endswith(RAISE) else {}
