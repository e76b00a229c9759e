"""The holder of a task asks the agent's live session; see the attempt's drafts of kind “offered” for the answers."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from clawgroups.api import shown
from clawgroups.api.access import actor_of
from clawgroups.api.writing import Answer, write
from clawgroups.permissions import get_task
from clawgroups.services import steering

router = Router(tags=["tasks"])


class SteerIn(Schema):
    """`when`: "now" stops a steered turn under way, "after_step" lets the step end that it is in."""

    text: str
    when: Literal["now", "after_step"] = "now"


@router.post("/tasks/{uuid:task_id}/steer")
def steer_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: SteerIn) -> Answer:
    """Ask the agent's live session something, as part of your own work on a task that you hold."""
    return write(request, response, steering.steer, task_id, text=body.text, when=body.when)


@router.get("/tasks/{uuid:task_id}/steer")
def list_steers(request: HttpRequest, task_id: UUID) -> Answer:
    """What was asked in the attempt of whoever holds the task, the newest first, with what came of it.

    `state`: queued, running, over, withdrawn or cut_off; `draft`: the version in which the answer is offered.
    """
    row = get_task(actor_of(request), task_id, "task.view")
    items = steering.asked_in(row.attempt) if row.attempt is not None and row.state == "held" else []
    found = steering.partner(row) if row.state == "held" else None
    who = None if found is None else {"agent": found.agent.name if found.agent else None, "why_not": found.code}
    return {"items": [_shown(one) for one in items], "partner": who}


def _shown(one: steering.Asked) -> Answer:
    said = shown.columns(one.command, "id", "created_at", "sent_at", "answered_at")
    return {
        **said,
        "text": one.said,
        "state": one.state,
        "outcome": one.outcome,
        "draft": one.draft,
        "error": one.error,
    }


@router.post("/tasks/{uuid:task_id}/steer/{uuid:command_id}/withdraw")
def withdraw_steer(request: HttpRequest, response: HttpResponse, task_id: UUID, command_id: UUID) -> Answer:
    """Take back what waits to be asked."""
    return write(request, response, steering.withdraw_steer, task_id, command_id)


@router.post("/tasks/{uuid:task_id}/steer/{uuid:command_id}/stop")
def stop_steer(request: HttpRequest, response: HttpResponse, task_id: UUID, command_id: UUID) -> Answer:
    """Stop a steered turn that runs; what it said so far stays."""
    return write(request, response, steering.stop_steer, task_id, command_id)
