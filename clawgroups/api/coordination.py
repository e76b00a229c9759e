"""How the coordinator works in a workspace, what it asked the model for a run, and the run's limits."""

from __future__ import annotations

from functools import partial
from typing import Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from clawgroups.api import shown_models
from clawgroups.api.access import actor_of
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, write
from clawgroups.core.actors import Role
from clawgroups.core.errors import Invalid, NotFound
from clawgroups.fragments import model_use
from clawgroups.models import ModelCall
from clawgroups.permissions import ACTIONS, get_run, get_workspace, require, seat_of
from clawgroups.services import budgets
from clawgroups.services import coordination as verbs

router = Router(tags=["coordinator"])


class CoordinationPatch(Schema):
    """What is to be another; each that is named is replaced as a whole.

    `hears`: whether the model decides whom a message is for that names nobody. `judge`: who judges acceptance lines
    that no check can; `judge_same_owner`: whether agents of the worker's owner may, too. `modes`: a mode by kind of
    call; `run` and `month`: limits {tokens, cost_micro, steps, seconds}, null for none.
    """

    use_model: bool | None = None
    start_at_once: bool | None = None
    hears: bool | None = None
    judge: Literal["model", "agent", "person"] | None = None
    judge_same_owner: bool | None = None
    modes: dict[str, str | None] | None = None
    run: dict[str, int | None] | None = None
    month: dict[str, int | None] | None = None


class BudgetIn(Schema):
    """Limits that are to be others, null for none. With none at all, the limits of the workspace count."""

    tokens: int | None = None
    cost_micro: int | None = None
    steps: int | None = None
    seconds: int | None = None


@router.get("/workspaces/{uuid:workspace_id}/coordination")
def get_coordination(request: HttpRequest, workspace_id: UUID) -> Answer:
    """The settings, what is in force, who plans now, and what was used this month."""
    return shown_models.coordination(get_workspace(actor_of(request), workspace_id, "workspace.view"))


@router.patch("/workspaces/{uuid:workspace_id}/coordination")
def set_coordination(
    request: HttpRequest, response: HttpResponse, workspace_id: UUID, body: CoordinationPatch
) -> Answer:
    """Change some of the settings."""
    get_workspace(actor_of(request), workspace_id, "workspace.set_coordination")
    given = body.model_dump(exclude_unset=True)
    if not given:
        raise Invalid(
            "Send use_model, start_at_once, hears, judge, judge_same_owner, modes, run or month.", field="body"
        )
    verb = partial(verbs.set_coordination, keeps_rest=True)
    return write(request, response, verb, workspace_id, given=given, coordination=given)


@router.get("/runs/{uuid:run_id}/model-calls")
def list_model_calls(request: HttpRequest, run_id: UUID, paged: Paging) -> Answer:
    """What the model was asked for a run, newest first, and the sums. Guests and agents get the sums only."""
    actor = actor_of(request)
    run = get_run(actor, run_id, "run.view")
    seat = seat_of(actor, run.workspace_id)
    rows = ModelCall.objects.filter(run=run).select_related("server").defer("request", "raw", "text", "reasoning")
    if seat is None or Role(seat.role) not in ACTIONS["run.view_calls"].roles:
        rows = rows.none()
    return {"totals": shown_models.totals(model_use.totals_of(run_id)), **page(rows, paged, shown_models.call)}


@router.get("/model-calls/{uuid:call_id}")
def get_model_call(request: HttpRequest, call_id: UUID) -> Answer:
    """One call with the question, the answer, its thoughts (never authority) and the reply as it came."""
    row = ModelCall.objects.select_related("server").filter(pk=call_id).first()
    if row is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    require(actor_of(request), "run.view_calls", row.workspace_id)
    return shown_models.call_in_full(row)


@router.patch("/runs/{uuid:run_id}/budget")
def set_budget(request: HttpRequest, response: HttpResponse, run_id: UUID, body: BudgetIn) -> Answer:
    """Change some of a run's limits; one that had reached a limit goes on where the new ones allow it."""
    given = body.model_dump(exclude_unset=True)
    if not given:
        raise Invalid("Send tokens, cost_micro, steps or seconds.", field="body")
    get_run(actor_of(request), run_id, "run.set_budget")
    return write(request, response, budgets.set_budget, run_id, given=given, limits=given, keeps_rest=True)
