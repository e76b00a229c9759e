"""The draft of a task that one holds: its text, its files, a look at the acceptance lines, and finishing by hand."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from clawgroups.api import shown
from clawgroups.api.access import actor_of
from clawgroups.api.forms import Form, described, read_form
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, write
from clawgroups.core.actors import Actor
from clawgroups.core.errors import NotFound
from clawgroups.models import Attempt, Draft, Task
from clawgroups.permissions import get_task, seat_of
from clawgroups.services import checking, draft_files, drafts, finishing
from clawgroups.services.files import clean_name, store

router = Router(tags=["drafts"])


class DraftIn(Schema):
    """The text; `base` is the version it was made from, so that nothing newer is overwritten. `epoch`: the task's."""

    text: str
    base: int | None = None
    kept: int | None = None
    epoch: int | None = None


class ChoiceIn(Schema):
    """What becomes of a kept text: "mine" (as `text`, if given), "newer", "both". `newest`: the version looked at."""

    kept: int
    choice: str
    text: str | None = None
    newest: int | None = None


class RestoreIn(Schema):
    version: int


class FileIn(Schema):
    """A text file of the draft; `base` is the revision (its id) it was made from."""

    name: str
    text: str
    base: UUID | None = None


class FileChoiceIn(Schema):
    """ "mine" or "newer"."""

    choice: str


class CheckIn(Schema):
    """The text to look at; left out: the newest version."""

    text: str | None = None


class SubmitIn(Schema):
    """The result; files come with the same request as a multipart form, beside those of the draft."""

    result: str = ""
    base: int | None = None
    epoch: int | None = None


def read_text(request: HttpRequest) -> Form:
    """A request with a draft's text in it. Raises `TooLarge`, with what to do, for more text than is read."""
    try:
        return read_form(request)
    except RequestDataTooBig:
        raise drafts.too_long() from None


def _drafted(task: Task) -> Attempt | None:
    """The attempt in a person's hands, else the last that was."""
    return task.attempts.filter(member__agent=None).order_by("number").last()


def _hidden(actor: Actor, task: Task) -> Q:
    """What was kept of others is theirs alone."""
    seat = seat_of(actor, task.workspace_id)
    others = Q(kind=drafts.KEPT) & ~Q(attempt__member=seat)
    return others | Q(kind=drafts.SETTLED)


def _draft(row: Draft) -> Answer:
    said = shown.columns(row, "version", "kind", "base", "actor", "saved_at")
    return {**said, "attempt": str(row.attempt_id)}


@router.post("/tasks/{uuid:task_id}/draft", openapi_extra=described(DraftIn))
def save_draft(request: HttpRequest, response: HttpResponse, task_id: UUID) -> Answer:
    """Save a version of the draft of a task you hold.

    409 `draft_moved` where another version than `base` is the newest, `not_holder` where somebody else holds the task:
    the text is kept then, under `kept_as`.
    """
    get_task(actor_of(request), task_id, "task.hold")
    form = read_text(request)
    body = form.parsed(DraftIn)
    given: dict[str, Any] = body.dict()
    return write(request, response, drafts.save_draft, task_id, given=form.digest(), **given)


@router.get("/tasks/{uuid:task_id}/drafts")
def list_drafts(request: HttpRequest, task_id: UUID, paged: Paging) -> Answer:
    """The versions of the draft, oldest first; `kind` "kept": what you typed beside it, and part of nothing."""
    actor = actor_of(request)
    task = get_task(actor, task_id, "task.view")
    rows = Draft.objects.filter(attempt__task=task, attempt__member__agent=None)
    return page(rows.exclude(_hidden(actor, task)).defer("text"), paged, _draft, order="id")


@router.get("/tasks/{uuid:task_id}/drafts/{int:version}")
def get_draft(request: HttpRequest, task_id: UUID, version: int) -> Answer:
    """One version with its text, of the try in a person's hands, else of the last one that was."""
    actor = actor_of(request)
    task = get_task(actor, task_id, "task.view")
    attempt = _drafted(task)
    rows = Draft.objects.exclude(_hidden(actor, task)).filter(attempt=attempt, version=version)
    row = rows.first() if attempt is not None else None
    if row is None:
        raise NotFound("There is no such version of this draft.")
    return {**_draft(row), "text": row.text}


@router.post("/tasks/{uuid:task_id}/draft/choose")
def choose_draft(request: HttpRequest, response: HttpResponse, task_id: UUID, body: ChoiceIn) -> Answer:
    """Deal with a text that was kept beside the draft."""
    given: dict[str, Any] = {"choice": body.choice, "text": body.text, "newest_seen": body.newest}
    return write(request, response, drafts.choose_draft, task_id, body.kept, **given)


@router.post("/tasks/{uuid:task_id}/draft/restore")
def restore_draft(request: HttpRequest, response: HttpResponse, task_id: UUID, body: RestoreIn) -> Answer:
    """Go back to a version: its text becomes a new one."""
    return write(request, response, drafts.restore_draft, task_id, body.version)


# Files


@router.get("/tasks/{uuid:task_id}/draft/files")
def list_draft_files(request: HttpRequest, task_id: UUID) -> Answer:
    """The files of the draft; `kept`: sent for a file that had moved on, and part of nothing until you choose it."""
    task = get_task(actor_of(request), task_id, "task.view")
    held = task.attempt if task.state == "held" and task.attempt is not None else None
    files, kept = ([], []) if held is None else (draft_files.of(held), draft_files.kept_of(held))
    return {"items": [shown.artifact(row) for row in files], "kept": [shown.artifact(row) for row in kept]}


@router.post("/tasks/{uuid:task_id}/draft/files", openapi_extra=described(FileIn))
def add_draft_files(request: HttpRequest, response: HttpResponse, task_id: UUID) -> Answer:
    """Put files into the draft, as a form with `files`, or one text file as JSON; a known name is its next revision."""
    get_task(actor_of(request), task_id, "task.hold")
    form = read_text(request)
    if form.stored:
        return write(request, response, draft_files.add_files, task_id, given=form.digest(), files=form.stored)
    body = form.parsed(FileIn)
    if len(body.text) > drafts.MAX_DRAFT:
        raise drafts.too_long(len(body.text))
    stored = store([body.text.encode()], name=clean_name(body.name))
    return write(request, response, draft_files.save_file, task_id, given=form.digest(), stored=stored, base=body.base)


@router.delete("/tasks/{uuid:task_id}/draft/files/{uuid:artifact_id}")
def remove_draft_file(request: HttpRequest, response: HttpResponse, task_id: UUID, artifact_id: UUID) -> Answer:
    """Take a file out of the draft; its revisions stay."""
    return write(request, response, draft_files.remove_file, task_id, artifact_id)


@router.post("/tasks/{uuid:task_id}/draft/files/{uuid:artifact_id}/choose")
def choose_draft_file(
    request: HttpRequest, response: HttpResponse, task_id: UUID, artifact_id: UUID, body: FileChoiceIn
) -> Answer:
    """Deal with a file that was kept beside the draft."""
    return write(request, response, draft_files.choose_file, task_id, artifact_id, choice=body.choice)


# Finishing


@router.post("/tasks/{uuid:task_id}/check")
def check_draft(request: HttpRequest, task_id: UUID, body: CheckIn | None = None) -> Answer:
    """What the review's own checks would say of the draft; nothing is written. Other lines say who judges them."""
    return checking.check_draft(task_id, text=body.text if body else None, actor=actor_of(request)).as_json()


@router.post("/tasks/{uuid:task_id}/submit", openapi_extra=described(SubmitIn))
def submit_task(request: HttpRequest, response: HttpResponse, task_id: UUID) -> Answer:
    """Finish a task you hold, as JSON or as a form with `files`: they and the draft's files are its result."""
    get_task(actor_of(request), task_id, "task.hold")
    form = read_text(request)
    body = form.parsed(SubmitIn)
    given: dict[str, Any] = {"result": body.result, "files": form.stored, "base": body.base, "epoch": body.epoch}
    return write(request, response, finishing.submit_held, task_id, given=form.digest(), **given)
