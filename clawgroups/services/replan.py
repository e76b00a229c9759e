"""Verbs on a proposed change of a running plan: it waits for a person, and is carried out as one change or not at all.

Tasks that somebody works on or that are done are never touched by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Count, Fact, Outcome, Update
from clawgroups.core.coordination_events import ReplanAccepted, ReplanProposed, ReplanRejected
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.events import RunConsolidating
from clawgroups.core.lifecycle import RunState
from clawgroups.core.plan import PlanTask
from clawgroups.core.plan_diff import PlanDiff, Standing, applied, diff, filled, moved_on, read_diff
from clawgroups.core.plan_edits import plan_task
from clawgroups.core.replan_asked import id_of, read_asked
from clawgroups.models import Run
from clawgroups.permissions import get_run, require
from clawgroups.services.plan_changes import PlanRows, columns_of, read_plan, seats_by_handle
from clawgroups.services.replan_rows import carried_out
from clawgroups.services.workspaces import clean_text


def propose_replan(
    run_id: UUID, *, tasks: Sequence[Any], rationale: str, actor: Actor, asked: str = "", operation: str = ""
) -> Future[Outcome]:
    """Propose how the rest of a running plan shall be: all of its open tasks, old and new.

    A task that is only named by its key stays as it is; an open one that is not named is taken away. `asked`: the id of
    the wish that the coordinator answers by it. Raises `Invalid` for what cannot be, `Conflict` while another change is
    proposed or asked for.
    """
    run = only_running(get_run(actor, run_id, "run.replan"))
    expects = require(actor, "run.replan", run.workspace_id)
    wish = read_asked(run.replan) if actor.kind is ActorKind.COORDINATOR else None
    if wish is None or wish.id != asked:
        none_open(run)
    rationale = clean_text(rationale, what="Rationale", limit=5_000)
    rows = read_plan(run)
    now = standing(rows)
    change = diff(now, parsed(now, tasks))
    _check_members(run, change, actor)
    replan = {
        "id": str(new_id()),
        "rationale": rationale,
        "by": actor.as_json(),
        "at": timezone.now().isoformat(timespec="seconds"),
        "version": run.plan_version,
        **change.as_json(),
        **({"wish": wish.as_json()} if wish else {}),
    }
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (Update("clawgroups.Run", run.pk, {"replan": replan}, {"state": run.state, "replan": run.replan}),),
            (Fact(run.workspace_id, ReplanProposed(run_id=run.pk)),),
            operation,
            verb="run.propose_replan",
            answer={"id": str(run.pk), "replan": replan["id"], **counts(change)},
        )
    )


def accept_replan(run_id: UUID, *, actor: Actor, replan: str = "", operation: str = "") -> Future[Outcome]:
    """Carry the proposed change out. `replan` is the id of the one that was looked at.

    Raises `Conflict` (`replan_outdated`) that names the tasks which moved on meanwhile; the proposal then stays.
    """
    run = _decided(actor, run_id, replan)
    expects = require(actor, "run.edit_plan", run.workspace_id)
    if read_asked(run.replan):
        raise Conflict("The coordinator is still thinking about a change; there is none to accept.", code="no_replan")
    rows, change = read_plan(run), read_diff(run.replan)
    now = standing(rows)
    plan = _still_fits(now, change)
    done = carried_out(rows, change, plan, actor, timezone.now())
    values = {"replan": {}, "plan_version": run.plan_version + 1, "path_length": done.path_length}
    fence = {"state": run.state, "replan": run.replan, "plan_version": run.plan_version, "paused": run.paused}
    accepted = ReplanAccepted(
        run_id=run.pk,
        added=len(change.added),
        cancelled=len(change.removed),
        rewritten=len(change.changed),
        tasks=tuple(done.added),
        again=tuple(done.again),
    )
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            (*expects, *done.expects),
            (Update("clawgroups.Run", run.pk, values, fence), *done.writes, _counted(run, change)),
            (Fact(run.workspace_id, accepted), *(Fact(run.workspace_id, event) for event in done.events)),
            operation,
            verb="run.accept_replan",
            answer={"id": str(run.pk), **counts(change)},
            wakes=tuple(done.wakes),
        )
    )


def reject_replan(run_id: UUID, *, actor: Actor, replan: str = "", operation: str = "") -> Future[Outcome]:
    """Turn the proposed change down, or take back what the coordinator was asked for; the plan stays as it is."""
    run = _decided(actor, run_id, replan)
    expects = require(actor, "run.edit_plan", run.workspace_id)
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (Update("clawgroups.Run", run.pk, {"replan": {}}, {"replan": run.replan}),),
            (Fact(run.workspace_id, ReplanRejected(run_id=run.pk)),),
            operation,
            verb="run.reject_replan",
            answer={"id": str(run.pk)},
        )
    )


def standing(rows: PlanRows) -> tuple[Standing, ...]:
    """The tasks of a plan with where each stands."""
    return tuple(Standing(task, rows.tasks[task.key].state, rows.tasks[task.key].epoch) for task in rows.plan)


def parsed(now: Sequence[Standing], tasks: Sequence[Any]) -> tuple[PlanTask, ...]:
    """Proposed tasks as values. Raises `Invalid` that names each that is wrong."""
    if not isinstance(tasks, (list, tuple)):
        raise Invalid("Send the tasks as a list.", field="tasks", code="bad_plan")
    found: list[PlanTask] = []
    problems: list[str] = []
    for number, task in enumerate(filled(now, tasks), 1):
        try:
            if not isinstance(task, Mapping):
                raise Invalid("it is no task with a key and a title")
            found.append(plan_task(task))
        except Invalid as wrong:
            problems.append(f"task {number}: {wrong.message}")
    if problems:
        said = f"The plan cannot be changed like this: {'; '.join(problems[:10])}"
        raise Invalid(said, field="tasks", code="bad_plan", problems=problems)
    return tuple(found)


def counts(change: PlanDiff) -> dict[str, int]:
    """How many tasks a change adds, cancels, and changes."""
    return {"added": len(change.added), "cancelled": len(change.removed), "rewritten": len(change.changed)}


def _check_members(run: Run, change: PlanDiff, actor: Actor) -> None:
    """Raises `Invalid` where somebody is proposed who is no member here."""
    seats = seats_by_handle(run.workspace_id)
    for task in (*change.added, *(one.after for one in change.changed)):
        columns_of(task, None, seats, actor)


def _still_fits(now: Sequence[Standing], change: PlanDiff) -> tuple[PlanTask, ...]:
    """The whole plan after the change. Raises `Conflict` that names what moved on since it was proposed."""
    if moved := moved_on(now, change):
        names = ", ".join(f"“{title}”" for title in moved[:5]) + (f" and {len(moved) - 5} more" if moved[5:] else "")
        raise Conflict(
            f"This change does not fit any more: {names} moved on since it was proposed. Nothing was changed;"
            " reject it, and propose it anew.",
            code="replan_outdated",
            tasks=moved,
        )
    try:
        return applied(now, change)
    except Invalid as wrong:
        raise Conflict(f"This change does not fit any more. {wrong.message}", code="replan_outdated") from None


def _counted(run: Run, change: PlanDiff) -> Count:
    """So many more tasks are open; a plan without any is at its end."""
    return Count(
        "clawgroups.Run",
        run.pk,
        "open_tasks",
        len(change.added) - len(change.removed),
        {"state": "running"},
        {"state": "consolidating"},
        (Fact(run.workspace_id, RunConsolidating(run_id=run.pk)),),
    )


def only_running(run: Run) -> Run:
    """The run. Raises `Conflict` where it is not under way."""
    if run.state != RunState.RUNNING:
        raise Conflict(
            f"This run is {run.state}; only the plan of a running one is changed by a proposal.", code="run_not_running"
        )
    return run


def none_open(run: Run) -> None:
    """Raises `Conflict` (`replan_open`) while a change of the plan is asked for or proposed."""
    if read_asked(run.replan):
        said = "The coordinator is thinking about a change of this plan. Wait for it, or withdraw that first."
        raise Conflict(said, code="replan_open", run=str(run.pk))
    if run.replan:
        said = "A change of this plan is proposed already. Accept or reject it first."
        raise Conflict(said, code="replan_open", run=str(run.pk))


def _decided(actor: Actor, run_id: UUID, replan: str) -> Run:
    run = get_run(actor, run_id, "run.edit_plan")
    if not run.replan:
        raise Conflict("No change of this plan is proposed now; somebody has decided on it.", code="no_replan")
    if replan and replan != id_of(run.replan):
        raise Conflict("Another change is proposed by now; look at it first.", code="replan_moved")
    return only_running(run)
