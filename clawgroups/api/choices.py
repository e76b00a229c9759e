"""Who could do a task and why, giving it to somebody else, and what the matching learned from that."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from clawgroups.api import schemas, shown
from clawgroups.api.access import actor_of
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, write
from clawgroups.coordinator.ranking import ranking_now
from clawgroups.core.lifecycle import TASK_TERMINAL
from clawgroups.permissions import get_task, get_workspace
from clawgroups.services import asking, choices

router = Router(tags=["matching"])


@router.get("/tasks/{uuid:task_id}/match")
def get_match(request: HttpRequest, task_id: UUID) -> Answer:
    """`stored`: the ranking behind the last assignment. `now`: everybody as things stand; empty once it is over.

    Each with the parts of the score, or in `excluded` why it is out.
    """
    row = get_task(actor_of(request), task_id, "task.view")
    ranked = [] if row.state in TASK_TERMINAL else ranking_now(row, timezone.now())
    return {"stored": row.match, "now": [one.as_json() for one in ranked]}


@router.post("/tasks/{uuid:task_id}/choose")
def choose_member(request: HttpRequest, response: HttpResponse, task_id: UUID, body: schemas.ChooseIn) -> Answer:
    """Have a task given to this agent, or this person asked, in the coordinator's next turn, and nobody else."""
    return write(request, response, choices.choose_member, task_id, member_id=body.member, stop=body.stop)


@router.post("/tasks/{uuid:task_id}/decline")
def decline_task(
    request: HttpRequest, response: HttpResponse, task_id: UUID, body: schemas.DeclineIn | None = None
) -> Answer:
    """Say “not this one” to a task that you are asked to do, and why if you like. To do it, take it over."""
    return write(request, response, asking.decline_task, task_id, reason=body.reason if body else "")


@router.get("/workspaces/{uuid:workspace_id}/choices")
def list_choices(request: HttpRequest, workspace_id: UUID, paged: Paging) -> Answer:
    """The choices of people that the matching learns from."""
    actor = actor_of(request)
    get_workspace(actor, workspace_id, "task.view")
    return page(choices.overrides_of(workspace_id, actor), paged, shown.choice, order="id")


@router.delete("/choices/{uuid:override_id}")
def forget_choice(request: HttpRequest, response: HttpResponse, override_id: UUID) -> Answer:
    """Have the matching learn nothing from a choice any more."""
    return write(request, response, choices.forget_choice, override_id)
