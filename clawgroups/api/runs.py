"""Runs, from a goal with files to deliverables."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from clawgroups.api import schemas, shown, shown_models
from clawgroups.api.access import actor_of
from clawgroups.api.forms import described, read_form
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, write
from clawgroups.models import Run
from clawgroups.permissions import get_run, get_workspace, require
from clawgroups.services import goal_questions, inputs, runs

router = Router(tags=["runs"])


@router.get("/workspaces/{uuid:workspace_id}/runs")
def list_runs(request: HttpRequest, workspace_id: UUID, paged: Paging) -> Answer:
    """A workspace's runs, newest first."""
    get_workspace(actor_of(request), workspace_id, "run.view")
    return page(Run.objects.filter(workspace_id=workspace_id), paged, shown.run)


@router.post(
    "/workspaces/{uuid:workspace_id}/runs", response={201: dict[str, Any]}, openapi_extra=described(schemas.RunIn)
)
def draft_run(request: HttpRequest, response: HttpResponse, workspace_id: UUID) -> Answer:
    """Give a goal, as JSON or as a form with `files`; with a `plan` it is proposed at once."""
    # Rights first: nobody fills the store of a workspace that is not theirs.
    require(actor_of(request), "run.draft", workspace_id)
    form = read_form(request, structured=["plan"], take=inputs.store_input)
    body = form.parsed(schemas.RunIn)
    return write(
        request,
        response,
        runs.draft_run,
        workspace_id,
        given=form.digest(),
        goal=body.goal,
        inputs=form.stored,
        plan=body.plan,
        start=body.start,
    )


@router.get("/runs/{uuid:run_id}")
def get_run_(request: HttpRequest, run_id: UUID) -> Answer:
    """One run: how many of its tasks are in which state, who plans it, and what it has used of its limits."""
    row = get_run(actor_of(request), run_id, "run.view")
    return {**shown.run_in_full(row), **shown_models.run_use(row)}


@router.post("/runs/{uuid:run_id}/start")
def start_run(request: HttpRequest, response: HttpResponse, run_id: UUID) -> Answer:
    """Begin a proposed run."""
    return write(request, response, runs.start_run, run_id)


@router.post("/runs/{uuid:run_id}/answer")
def answer_question(request: HttpRequest, response: HttpResponse, run_id: UUID, body: schemas.AnswerIn) -> Answer:
    """Answer what the coordinator asks about the goal (`question`); it plans with the answer."""
    return write(request, response, goal_questions.answer_question, run_id, answer=body.answer)


@router.post("/runs/{uuid:run_id}/pause")
def pause_run(request: HttpRequest, response: HttpResponse, run_id: UUID) -> Answer:
    """Assign nothing new until it is resumed."""
    return write(request, response, runs.pause_run, run_id)


@router.post("/runs/{uuid:run_id}/resume")
def resume_run(request: HttpRequest, response: HttpResponse, run_id: UUID) -> Answer:
    """Go on with a paused run."""
    return write(request, response, runs.resume_run, run_id)


@router.post("/runs/{uuid:run_id}/cancel")
def cancel_run(request: HttpRequest, response: HttpResponse, run_id: UUID) -> Answer:
    """End a run and ask its agents to stop."""
    return write(request, response, runs.cancel_run, run_id)
