"""Several people at one task: who watches, who asks for it, giving it to each other; and its history."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema

from clawgroups import commit
from clawgroups.api import shown
from clawgroups.api.access import actor_of
from clawgroups.api.writing import Answer, write
from clawgroups.fragments.story import story_of
from clawgroups.models import ControlRequest, Task
from clawgroups.permissions import get_task, seat_of
from clawgroups.services import control, watching

router = Router(tags=["control"])


class AskIn(Schema):
    """Why, in a word."""

    note: str = ""


class WordIn(Schema):
    """Why not, in a word."""

    word: str = ""


class GrantIn(Schema):
    """`text`: the draft as it stands in an editor; it is saved first."""

    text: str | None = None


class PassIn(Schema):
    """To whom, with a word; `text` as when granting."""

    member: UUID
    note: str = ""
    text: str | None = None


@router.get("/tasks/{uuid:task_id}/watchers")
def list_watchers(request: HttpRequest, task_id: UUID) -> Answer:
    """Who holds a task, and who else has its page open at this moment."""
    return _watchers(get_task(actor_of(request), task_id, "task.view"))


@router.post("/tasks/{uuid:task_id}/watch")
def watch_task(request: HttpRequest, task_id: UUID) -> Answer:
    """Say that you watch a task; repeat it every 15 seconds. Who is silent for 40 is gone."""
    actor = actor_of(request)
    row = get_task(actor, task_id, "task.watch")
    future = watching.watch_task(task_id, actor=actor)
    if future is not None:
        commit.wait(future)
    return _watchers(row)


def _watchers(row: Task) -> Answer:
    found = watching.watchers_of(row, timezone.now())
    return {"holder": shown.seat(row.holder), "watchers": [shown.seat(one) for one in found]}


@router.get("/tasks/{uuid:task_id}/requests")
def list_control_requests(request: HttpRequest, task_id: UUID) -> Answer:
    """Who asked for a task, or was offered it, and what became of that; newest first, at most a hundred."""
    row = get_task(actor_of(request), task_id, "task.view")
    found = ControlRequest.objects.filter(task=row.pk).select_related("member", "holder").order_by("-asked_at")[:100]
    return {"items": [_request(one) for one in found]}


def _request(row: ControlRequest) -> Answer:
    said = shown.columns(row, "id", "note", "state", "asked_at", "answered_at", "answer")
    return {**said, "task": str(row.task_id), "member": shown.seat(row.member), "holder": shown.seat(row.holder)}


@router.post("/tasks/{uuid:task_id}/ask")
def ask_for_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: AskIn | None = None) -> Answer:
    """Ask the person who holds a task for it."""
    return write(request, response, control.ask_for, task_id, note=body.note if body else "")


@router.post("/tasks/{uuid:task_id}/pass")
def pass_on_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: PassIn) -> Answer:
    """Pass a task you hold on to a person: at once where they asked for it or watch it, else they are asked first."""
    verb = control.pass_on
    return write(request, response, verb, task_id, member_id=body.member, note=body.note, text=body.text)


@router.post("/requests/{uuid:request_id}/grant")
def grant_control(
    request: HttpRequest, response: HttpResponse, request_id: UUID, body: GrantIn | None = None
) -> Answer:
    """Give a task you hold to who asks for it; or take one that you are offered."""
    return write(request, response, control.grant, request_id, text=body.text if body else None)


@router.post("/requests/{uuid:request_id}/refuse")
def refuse_control(
    request: HttpRequest, response: HttpResponse, request_id: UUID, body: WordIn | None = None
) -> Answer:
    """Keep a task that you are asked for; or leave one that you are offered."""
    return write(request, response, control.refuse, request_id, word=body.word if body else "")


@router.post("/requests/{uuid:request_id}/withdraw")
def withdraw_control(request: HttpRequest, response: HttpResponse, request_id: UUID) -> Answer:
    """Take a request or an offer of yours back."""
    return write(request, response, control.withdraw, request_id)


@router.get("/tasks/{uuid:task_id}/story")
def get_story(request: HttpRequest, task_id: UUID) -> Answer:
    """Who held a task when, and everything that changed, in sentences; oldest first."""
    actor = actor_of(request)
    row = get_task(actor, task_id, "task.view")
    seat = seat_of(actor, row.workspace_id)
    return story_of(row, seat.role if seat else "").as_json()
