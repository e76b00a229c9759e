"""When this happened, start that: the table from event types to runs whose coordinator is woken.

One reaction per workspace reads the journal from the stored cursor and advances it in the same
change as what it starts. Woken by a hint, else by the sweeper: a lost message only delays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from clawgroups import commit
from clawgroups.core import deadline
from clawgroups.models import Entry, Run, Task, Workspace
from clawgroups.services import turns

BATCH = 1000
Runs = set[UUID]


def _run_of(payload: dict[str, Any], _: UUID) -> Runs:
    return {UUID(payload["run_id"])}


def _run_of_task(payload: dict[str, Any], workspace_id: UUID) -> Runs:
    """The task's run; and those in which something waits for a member that may be free now."""
    own = Task.objects.filter(pk=payload["task_id"]).values_list("run_id", flat=True)
    return {*own, *_waiting_runs(workspace_id)}


def _every_waiting_run(_: dict[str, Any], workspace_id: UUID) -> Runs:
    return _waiting_runs(workspace_id)


def _waiting_runs(workspace_id: UUID) -> Runs:
    open_tasks = Task.objects.filter(workspace_id=workspace_id, state__in=["ready", "stuck"], run__state="running")
    return set(open_tasks.values_list("run_id", flat=True).distinct())


REACTIONS: dict[str, Callable[[dict[str, Any], UUID], Runs]] = {
    "run.drafted": _run_of,
    "run.planning": _run_of,
    "run.proposed": _run_of,
    "run.started": _run_of,
    "run.resumed": _run_of,
    "run.consolidating": _run_of,
    "task.ready": _run_of,
    "task.submitted": _run_of_task,
    "task.returned": _run_of_task,
    "task.released": _run_of_task,
    "task.stuck": _run_of_task,
    "task.handed_back": _run_of_task,
    "task.late_result_adopted": _run_of_task,
    "task.regenerated": _run_of,
    "task.split": _run_of,
    "attempt.late_result_kept": _run_of_task,
    "agent.breaker_set": _every_waiting_run,
    "task.taken_over": _run_of_task,
    "task.done": _run_of_task,
    "task.failed": _run_of_task,
    "task.cancelled": _run_of_task,
    "member.joined": _every_waiting_run,
    "agent.online": _every_waiting_run,
    "agent.profile_set": _every_waiting_run,
}


def react(workspace_id: UUID) -> list[UUID]:
    """React to everything new in a workspace's journal; the runs whose turn is wanted by it.

    Keeps to the deadline of its thread; what is left then is found by the next one.
    """
    woken: list[UUID] = []
    while True:
        deadline.check()
        workspace = Workspace.objects.get(pk=workspace_id)
        entries = list(
            Entry.objects.filter(
                workspace=workspace, generation=workspace.generation, seq__gt=workspace.reacted
            ).order_by("seq")[:BATCH]
        )
        if not entries:
            return woken
        runs = _existing(affected(entries, workspace_id))
        outcome = commit.wait(turns.react_to(workspace, upto=entries[-1].seq, runs=runs))
        if not outcome.applied:
            return woken  # another worker reacts to the same entries
        woken += runs
        if len(entries) < BATCH:
            return woken


def affected(entries: Iterable[Entry], workspace_id: UUID) -> Runs:
    """The runs that these entries wake."""
    found: Runs = set()
    for entry in entries:
        reaction = REACTIONS.get(entry.type)
        if reaction is not None:
            found |= reaction(entry.payload, workspace_id)
    return found


def _existing(runs: Runs) -> list[UUID]:
    rows = Run.objects.filter(pk__in=runs, state__in=turns.ACTIVE).order_by("pk")
    return list(rows.values_list("pk", flat=True))
