"""Tasks: what is going on in them, takeover and review."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from clawgroups.api import schemas, shown
from clawgroups.api.access import actor_of
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, write
from clawgroups.core.actors import Actor
from clawgroups.core.errors import Forbidden
from clawgroups.fragments.receipt import receipt_of
from clawgroups.models import Task
from clawgroups.permissions import get_attempt, get_run, get_task, require
from clawgroups.services import late, regenerate, review, session_options, takeover, tasks
from clawgroups.services.perform import perform

router = Router(tags=["tasks"])


@router.get("/runs/{uuid:run_id}/tasks")
def list_tasks(request: HttpRequest, run_id: UUID, paged: Paging) -> Answer:
    """A run's tasks in the order of its plan."""
    get_run(actor_of(request), run_id, "task.view")
    parents = shown.parents_of(run_id)
    rows = Task.objects.filter(run_id=run_id).select_related("assignee", "holder")
    return page(rows, paged, lambda row: shown.task(row, parents), order="position")


@router.get("/tasks/{uuid:task_id}")
def get_task_(request: HttpRequest, task_id: UUID) -> Answer:
    """One task with its attempts, their transcripts, the draft and the files."""
    actor = actor_of(request)
    row = get_task(actor, task_id, "task.view")
    return shown.task_in_full(row, closely=_closely(actor, row.workspace_id))


@router.get("/tasks/{uuid:task_id}/session")
def get_session(request: HttpRequest, task_id: UUID) -> Answer:
    """What the agent at work tells of its session: context, cost, options, commands."""
    session = session_options.session_at_work(get_task(actor_of(request), task_id, "task.view"))
    return {"state": None, "told": {}} if session is None else {"state": session.state, "told": session.told}


@router.post("/tasks/{uuid:task_id}/option")
def set_option(request: HttpRequest, response: HttpResponse, task_id: UUID, body: schemas.OptionIn) -> Answer:
    """Choose one of the options that the session at work offers."""
    return write(request, response, session_options.set_option, task_id, option=body.option, value=body.value)


class TranscriptQuery(Schema):
    """From which ordinal, and how much."""

    after: int = Field(-1, ge=-1)
    limit: int = Field(500, ge=1, le=1000)


@router.get("/attempts/{uuid:attempt_id}/transcript")
def read_transcript(request: HttpRequest, attempt_id: UUID, query: Query[TranscriptQuery]) -> Answer:
    """What happened in an attempt: messages and tool calls in order."""
    actor = actor_of(request)
    row = get_attempt(actor, attempt_id, "task.view")
    closely = _closely(actor, row.workspace_id)
    return shown.transcript(attempt_id, after=query.after, limit=query.limit, closely=closely)


def _closely(actor: Actor, workspace_id: UUID) -> bool:
    """Thoughts and tool input are for those who may also see what an agent asks."""
    try:
        require(actor, "approval.view", workspace_id)
    except Forbidden:
        return False
    return True


# Assignment


@router.post("/tasks/{uuid:task_id}/assign")
def assign_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: schemas.AssignIn) -> Answer:
    """Offer a ready or stuck task to an agent, or ask a person for it; `anyway`: also one whose hands are full."""
    return write(request, response, tasks.assign_task, task_id, member_id=body.member, anyway=body.anyway)


@router.post("/tasks/{uuid:task_id}/cancel")
def cancel_task(request: HttpRequest, response: HttpResponse, task_id: UUID) -> Answer:
    """Cancel a task and every task that needs it."""
    return write(request, response, tasks.cancel_task, task_id)


@router.post("/tasks/{uuid:task_id}/release")
def release_task(request: HttpRequest, task_id: UUID, body: schemas.ReleaseIn | None = None) -> Answer:
    """Take a task from its assignee. Fenced by `epoch` (default: the present one), so a repeat is a conflict."""
    given = body or schemas.ReleaseIn()
    actor = actor_of(request)
    epoch = get_task(actor, task_id, "task.release").epoch if given.epoch is None else given.epoch
    return dict(perform(tasks.release_task, task_id, reason=given.reason, epoch=epoch, actor=actor).answer)


@router.post("/tasks/{uuid:task_id}/regenerate")
def regenerate_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: schemas.RegenerateIn) -> Answer:
    """Write a ready or stuck task anew: other instructions and fresh tries, or parts that it puts together."""
    parts = [part.dict() for part in body.parts]
    return write(request, response, regenerate.regenerate_task, task_id, instructions=body.instructions, parts=parts)


# Takeover


@router.post("/tasks/{uuid:task_id}/takeover")
def take_over_task(
    request: HttpRequest, response: HttpResponse, task_id: UUID, body: schemas.TakeoverIn | None = None
) -> Answer:
    """Hold a task yourself; its agent is stopped, its work so far stays."""
    given = body or schemas.TakeoverIn()
    takeover.bring_in(task_id, actor=actor_of(request))
    return write(request, response, takeover.Insistent(), task_id, **given.dict())


# Review


@router.post("/tasks/{uuid:task_id}/accept")
def accept_task(request: HttpRequest, response: HttpResponse, task_id: UUID) -> Answer:
    """Accept the result that is in review."""
    return write(request, response, review.accept_task, task_id)


@router.post("/tasks/{uuid:task_id}/adopt")
def adopt_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: schemas.AdoptIn) -> Answer:
    """Take up a result that came late: as a new attempt under a new epoch, which goes into review."""
    return write(request, response, late.adopt_late, task_id, body.attempt)


@router.get("/tasks/{uuid:task_id}/receipt")
def get_receipt(request: HttpRequest, task_id: UUID) -> Answer:
    """What a task delivered: result, files with hashes, checks with verdicts, tries. 404 until something was."""
    return receipt_of(get_task(actor_of(request), task_id, "task.view")).as_json()


@router.post("/tasks/{uuid:task_id}/return")
def return_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: schemas.ReturnIn) -> Answer:
    """Send the result in review back, with reasons."""
    reasons = [reason for reason in (*body.reasons, body.note) if reason.strip()]
    return write(request, response, review.return_task, task_id, reasons=reasons)
