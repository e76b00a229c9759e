"""Plans as proposals: read with its forecast, edited by operations, changed while it runs by a proposal."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field

from clawgroups.api.access import actor_of
from clawgroups.api.writing import Answer, write
from clawgroups.core.forecast import read_forecast
from clawgroups.models import Run
from clawgroups.permissions import get_run
from clawgroups.services import plans, replan, replan_asks
from clawgroups.services.forecasts import course_of, forecast_of
from clawgroups.services.plan_changes import read_plan

router = Router(tags=["plans"])


class EditsIn(Schema):
    """Edits, made all or none; `version` is that of the plan they were made for (null: whatever it is now).

    An edit is {"op": "add", task, before?}, {"op": "remove", key}, {"op": "split", key, parts}, {"op": "merge", keys,
    title?}, {"op": "move", key, by}, {"op": "edit", key, changes}, {"op": "propose", key, assignee, why?} or
    {"op": "undo"} alone.
    """

    edits: list[dict[str, Any]]
    version: int | None = None


class ReplanIn(Schema):
    """All tasks of the plan that nobody works on, as they shall be: a key alone keeps a task, none takes it away."""

    tasks: list[dict[str, Any]]
    rationale: str = ""


class WishIn(Schema):
    """What shall be otherwise, in a person's words."""

    note: str


class VerdictIn(Schema):
    """`replan`: the id of the change that was looked at, or of what the coordinator was asked for."""

    replan: str = Field(default="", max_length=60)


@router.get("/runs/{uuid:run_id}/plan")
def get_plan(request: HttpRequest, run_id: UUID) -> Answer:
    """A run's plan: its version, what it is expected to take, how it goes, and the change asked for or proposed."""
    run = get_run(actor_of(request), run_id, "run.view")
    return shown_plan(run)


def shown_plan(run: Run) -> Answer:
    """A plan as JSON. Before the start the forecast is made now, afterwards it is the one the run began with."""
    rows = read_plan(run)
    tasks = [
        {**task.model_dump(mode="json"), "id": str(rows.tasks[task.key].pk), "state": rows.tasks[task.key].state}
        for task in rows.plan
    ]
    foreseen = forecast_of(run, rows.planned) if run.state == "proposed" else read_forecast(run.forecast)
    went = course_of(run)
    return {
        "run": str(run.pk),
        "state": run.state,
        "version": run.plan_version,
        "tasks": tasks,
        "forecast": foreseen.as_json() if foreseen else None,
        "course": [{"name": o.name, "expected": o.expected, "actual": o.actual} for o in went.lines] if went else None,
        "replan": run.replan or None,
    }


@router.patch("/runs/{uuid:run_id}/plan")
def edit_plan(request: HttpRequest, response: HttpResponse, run_id: UUID, body: EditsIn) -> Answer:
    """Edit a proposed plan. 409 `plan_moved` when it has another version by now."""
    given = [body.edits, body.version]
    if body.edits == [{"op": "undo"}]:
        return write(request, response, plans.undo_edit, run_id, given=given, version=body.version)
    return write(request, response, plans.edit_plan, run_id, given=given, edits=body.edits, version=body.version)


@router.post("/runs/{uuid:run_id}/replan")
def propose_replan(request: HttpRequest, response: HttpResponse, run_id: UUID, body: ReplanIn) -> Answer:
    """Propose a change of a running plan; it waits for somebody of the team."""
    return write(request, response, replan.propose_replan, run_id, tasks=body.tasks, rationale=body.rationale)


@router.post("/runs/{uuid:run_id}/replan/ask")
def ask_replan(request: HttpRequest, response: HttpResponse, run_id: UUID, body: WishIn) -> Answer:
    """Have the coordinator propose a change of a running plan. 409 `no_model` where no model may be asked now."""
    return write(request, response, replan_asks.ask_replan, run_id, note=body.note)


@router.post("/runs/{uuid:run_id}/replan/accept")
def accept_replan(request: HttpRequest, response: HttpResponse, run_id: UUID, body: VerdictIn) -> Answer:
    """Carry the proposed change out. 409 `replan_outdated` names the tasks that moved on meanwhile."""
    return write(request, response, replan.accept_replan, run_id, replan=body.replan)


@router.post("/runs/{uuid:run_id}/replan/reject")
def reject_replan(request: HttpRequest, response: HttpResponse, run_id: UUID, body: VerdictIn) -> Answer:
    """Turn the proposed change down, or withdraw what the coordinator was asked for."""
    return write(request, response, replan.reject_replan, run_id, replan=body.replan)
