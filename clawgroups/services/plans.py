"""Verbs on a proposed plan: until its run begins, people change it as they like, each edit a version of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core import plan_edits
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Insert, Outcome, Update, Write
from clawgroups.core.coordination_events import PlanEdited
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.events import RunPlanning
from clawgroups.core.lifecycle import RunState, RunVerb, move_run
from clawgroups.core.plan import path_length
from clawgroups.core.plan_edits import Plan
from clawgroups.core.plan_words import edits_words
from clawgroups.core.timers import after
from clawgroups.models import PlanEdit, Run
from clawgroups.permissions import get_run, require
from clawgroups.services.deadlines import timers_of
from clawgroups.services.plan_changes import PlanRows, read_plan, rewritten, seats_by_handle
from clawgroups.services.workspaces import clean_text

MAX_EDITS = 500
ANEW = "What shall be different from the plan that was made before?"
Edit = Mapping[str, Any]


def edit_plan(
    run_id: UUID, *, edits: Sequence[Edit], actor: Actor, version: int | None = None, operation: str = ""
) -> Future[Outcome]:
    """Make edits (`plan_edits.apply`) to a proposed plan, all or none, as one version.

    `version` is the one that was looked at: raises `Conflict` (`plan_moved`) where there is a newer one, `Invalid` for
    an edit that cannot be made.
    """
    run = _proposed(actor, run_id, version)
    if not edits or len(edits) > MAX_EDITS:
        raise Invalid(f"Send 1 to {MAX_EDITS} edits.", field="edits", code="bad_edits")
    rows = read_plan(run)
    after = rows.planned
    for said in edits:
        after = plan_edits.apply(after, said)
    return _changed(rows, after, edits_words(rows.planned, edits), actor, operation)


def add_task(run_id: UUID, *, task: Edit, before: Sequence[str] = (), **how: Any) -> Future[Outcome]:
    """Another task; those whose keys are in `before` then wait for it. `how`: actor, version, operation."""
    return edit_plan(run_id, edits=[{"op": "add", "task": task, "before": list(before)}], **how)


def remove_task(run_id: UUID, *, key: str, **how: Any) -> Future[Outcome]:
    """Take a task out; what waited for it waits for what it waited for."""
    return edit_plan(run_id, edits=[{"op": "remove", "key": key}], **how)


def split_task(run_id: UUID, *, key: str, parts: Sequence[Edit], **how: Any) -> Future[Outcome]:
    """Cut a task into 2-8 parts of {title, instructions}."""
    return edit_plan(run_id, edits=[{"op": "split", "key": key, "parts": list(parts)}], **how)


def merge_tasks(run_id: UUID, *, keys: Sequence[str], title: str = "", **how: Any) -> Future[Outcome]:
    """Make two or more tasks one."""
    return edit_plan(run_id, edits=[{"op": "merge", "keys": list(keys), "title": title}], **how)


def move_task(run_id: UUID, *, key: str, by: int, **how: Any) -> Future[Outcome]:
    """Move a task so many places in the plan's order; of equally urgent tasks the first is given out first."""
    return edit_plan(run_id, edits=[{"op": "move", "key": key, "by": by}], **how)


def edit_task(run_id: UUID, *, key: str, changes: Edit, **how: Any) -> Future[Outcome]:
    """Other words, skills, acceptance lines, minutes or earlier tasks for a task."""
    return edit_plan(run_id, edits=[{"op": "edit", "key": key, "changes": changes}], **how)


def propose_member(run_id: UUID, *, key: str, assignee: str, why: str = "", **how: Any) -> Future[Outcome]:
    """Propose a member, by handle, for a task; "" leaves it to the matching."""
    return edit_plan(run_id, edits=[{"op": "propose", "key": key, "assignee": assignee, "why": why}], **how)


def undo_edit(run_id: UUID, *, actor: Actor, version: int | None = None, operation: str = "") -> Future[Outcome]:
    """Take back the last edit that was not taken back yet: the plan is exactly as it was before it."""
    run = _proposed(actor, run_id, version)
    last = PlanEdit.objects.filter(run=run, undone=None).order_by("-version").first()
    if last is None:
        raise Conflict("Nothing was changed in this plan that could be taken back.", code="nothing_to_undo")
    rows = read_plan(run)
    back = Update("clawgroups.PlanEdit", last.pk, {"undone": run.plan_version + 1}, {"undone": None})
    # Who has left meanwhile cannot be proposed again.
    here = seats_by_handle(run.workspace_id)
    before = tuple(
        task if task.assignee in {"", *here} else task.model_copy(update={"assignee": "", "why": ""})
        for task in plan_edits.restore(rows.planned, last.reverse)
    )
    return _changed(rows, before, "", actor, operation, back=back)


def plan_anew(
    run_id: UUID, *, note: str, actor: Actor, version: int | None = None, operation: str = ""
) -> Future[Outcome]:
    """Throw the plan away and have another one made, with what a person says about it: proposed -> planning."""
    run = _proposed(actor, run_id, version)
    note = clean_text(note, what="Note", limit=5_000, required=True)
    rows, now = read_plan(run), timezone.now()
    moved = rewritten(rows, (), actor, now)
    values = {
        "state": move_run(run.state, RunVerb.PLAN).value,
        # The plan may have waited for a person for longer than a run takes.
        "deadline_at": after(now, timers_of(run.workspace).run_total),
        "plan_version": run.plan_version + 1,
        "open_tasks": 0,
        "path_length": 0,
        "planner": "",
        "rationale": "",
        "answers": [*run.answers, {"question": ANEW, "answer": note}],
    }
    edited = PlanEdited(run_id=run.pk, version=run.plan_version + 1, removed=tuple(moved.removed))
    edits = PlanEdit.objects.filter(run=run, undone=None).values_list("pk", flat=True)
    over: list[Write] = [Update("clawgroups.PlanEdit", pk, {"undone": run.plan_version + 1}) for pk in edits]
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            require(actor, "run.edit_plan", run.workspace_id),
            (Update("clawgroups.Run", run.pk, values, _unmoved(run)), *moved.writes, *over),
            (Fact(run.workspace_id, edited), Fact(run.workspace_id, RunPlanning(run_id=run.pk))),
            operation,
            verb="run.plan_anew",
            answer={"id": str(run.pk), "state": "planning"},
        )
    )


def check_version(run: Run, version: int | None) -> None:
    """Raises `Conflict` where the plan is not the one that was looked at. None: whatever it is now."""
    if version is None or version == run.plan_version:
        return
    last = PlanEdit.objects.filter(run=run).order_by("-version").first()
    who = f"{last.actor.get('name', 'Somebody')} {last.said}" if last and not last.undone else "Somebody changed it"
    raise Conflict(
        f"The plan has moved on since you looked at it: {who}. Nothing of yours was lost or applied;"
        " look at the plan as it is now, and do it again if it still fits.",
        code="plan_moved",
        version=run.plan_version,
    )


def _proposed(actor: Actor, run_id: UUID, version: int | None) -> Run:
    run = get_run(actor, run_id, "run.edit_plan")
    if run.state != RunState.PROPOSED:
        raise Conflict(
            f"This run is {run.state}: its plan is not a proposal any more. Propose a change of it instead.",
            code="not_proposed",
        )
    check_version(run, version)
    return run


def _unmoved(run: Run) -> dict[str, Any]:
    return {"state": run.state, "plan_version": run.plan_version, "open_tasks": run.open_tasks}


def _changed(
    rows: PlanRows, after: Plan, said: str, actor: Actor, operation: str, *, back: Update | None = None
) -> Future[Outcome]:
    """The plan becomes `after`; `back` notes the edit that is taken back by it."""
    run, now = rows.run, timezone.now()
    expects = require(actor, "run.edit_plan", run.workspace_id)
    moved = rewritten(rows, after, actor, now)
    version = run.plan_version + 1
    writes, facts = list(moved.writes), []
    if writes or back is not None:
        values = {"plan_version": version, "open_tasks": len(after), "path_length": path_length(after)}
        writes.append(Update("clawgroups.Run", run.pk, values, _unmoved(run)))
        edited = PlanEdited(run_id=run.pk, version=version, added=tuple(moved.added), removed=tuple(moved.removed))
        facts.append(Fact(run.workspace_id, edited))
        edit = {"run_id": run.pk, "version": version, "said": said, "actor": actor.as_json(), "at": now}
        edit["reverse"] = plan_edits.reverse(rows.planned, after)
        writes.append(back if back is not None else Insert("clawgroups.PlanEdit", new_id(), edit))
    answer = {"id": str(run.pk), "version": version if facts else run.plan_version, "tasks": len(after)}
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            tuple(writes),
            tuple(facts),
            operation,
            verb="run.edit_plan",
            answer=answer,
        )
    )
