"""Giving a task away: back to an agent, to a certain member, from one person to the next; and a person's own work."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema

from clawgroups.api import shown
from clawgroups.api.access import actor_of
from clawgroups.api.writing import Answer, write
from clawgroups.coordinator import handing
from clawgroups.core.errors import Forbidden
from clawgroups.fragments.handovers import Question
from clawgroups.fragments.my_work import Given, work_of
from clawgroups.models import Task
from clawgroups.services import delegating
from clawgroups.services.passing import MAX_NOTE

router = Router(tags=["tasks"])


class HandBackIn(Schema):
    """`anyway`: also where nobody can take it now; it waits then. `epoch`: of the task as the caller saw it."""

    note: str = ""
    anyway: bool = False
    epoch: int | None = None


class ReassignIn(HandBackIn):
    """`stop`: also where an agent is at work on it, who is stopped then."""

    member: UUID
    stop: bool = False


class DelegateIn(Schema):
    """`anyway`: also to whom the matching would not ask."""

    member: UUID
    note: str = ""
    anyway: bool = False


class PreviewQuery(Schema):
    """With which note, and for which member."""

    note: str = ""
    member: UUID | None = None


@router.post("/tasks/{uuid:task_id}/handback")
def hand_back_task(
    request: HttpRequest, response: HttpResponse, task_id: UUID, body: HandBackIn | None = None
) -> Answer:
    """Give a task you hold back, with a note. 409 `nobody_to_hand_to` names why nobody can take it now."""
    return write(request, response, handing.hand_back, task_id, **(body or HandBackIn()).dict())


@router.get("/tasks/{uuid:task_id}/handback/preview")
def preview_hand_back(request: HttpRequest, task_id: UUID, query: Query[PreviewQuery]) -> Answer:
    """What the next one would be told of the draft as it is saved, and who that would be."""
    found = handing.preview(task_id, actor=actor_of(request), note=query.note[:MAX_NOTE], member_id=query.member)
    out = [{"member": str(m.member_id), "name": m.name, "why": m.excluded} for m in found.outlook.out]
    to = found.outlook.to
    whom = None if to is None else {"id": str(to.member_id), "name": to.name}
    return {"text": found.text, "brief": found.brief, "to": whom, "out": out, "waits_for": found.outlook.waits_for}


@router.post("/tasks/{uuid:task_id}/reassign")
def reassign_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: ReassignIn) -> Answer:
    """Give a task to a certain agent, or ask a certain person: one that you hold, or one that nobody holds."""
    given = body.dict()
    return write(request, response, handing.reassign, task_id, member_id=given.pop("member"), **given)


@router.post("/tasks/{uuid:task_id}/delegate")
def delegate_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: DelegateIn) -> Answer:
    """Have another person asked in your place for a task that you are asked to do."""
    given = body.dict()
    return write(request, response, delegating.delegate_task, task_id, member_id=given.pop("member"), **given)


@router.get("/work")
def my_work(request: HttpRequest) -> Answer:
    """What is asked of you, in your hands, come back to you, and on its way to somebody else."""
    actor = actor_of(request)
    if actor.user_id is None:
        raise Forbidden("This is the list of a person; an agent is given its work by itself.")
    work = work_of(actor.user_id, timezone.now())
    return {
        "asked": [_question(one) for one in work.asked],
        "returned": [_question(one) for one in work.returned] + [_given(one) for one in work.unread],
        "held": [_task(one.task) | {"idle_since": shown.moment(_progress(one.task))} for one in work.held],
        "given": [_given(one) for one in work.given],
    }


def _task(row: Task) -> dict[str, Any]:
    said = shown.columns(row, "id", "title", "state", "deadline_at", "deadline_effect")
    return {**said, "workspace": str(row.workspace_id), "run": str(row.run_id)}


def _progress(row: Task) -> Any:
    return row.attempt.progress_at if row.attempt else None


def _question(one: Question) -> dict[str, Any]:
    said = {"by": one.asker, "note": one.note, "given": list(one.hops), "goes_back_to": one.goes_back}
    load = {"busy": one.busy, "capacity": one.seat.capacity, "too_many": one.too_many}
    return {**_task(one.task), **said, **load, "returned": one.returned}


def _given(one: Given) -> dict[str, Any]:
    return {**_task(one.task), "handed": shown.handed(one.handed)}
