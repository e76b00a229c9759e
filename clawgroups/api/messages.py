"""Messages: said, answered, changed, marked, taken back, with their files; words looked for; threads."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Query, Router, Schema
from pydantic import Field

from clawgroups.api import schemas, shown_messages
from clawgroups.api.access import actor_of
from clawgroups.api.downloads import download
from clawgroups.api.forms import described, few_files, read_form
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, write
from clawgroups.core.errors import NotFound
from clawgroups.fragments.messages import whole
from clawgroups.models import Message
from clawgroups.permissions import get_message, get_message_file, get_task, get_workspace, require
from clawgroups.services import answers, message_changes, messages
from clawgroups.services.pictures import picture_of
from clawgroups.services.search import KINDS, search_in, threads_of

router = Router(tags=["messages"])


class ThreadQuery(Schema):
    """Which thread: the group chat, or a task's."""

    task: UUID | None = None


@router.get("/workspaces/{uuid:workspace_id}/messages")
def list_messages(request: HttpRequest, workspace_id: UUID, paged: Paging, thread: Query[ThreadQuery]) -> Answer:
    """The group chat, or with `task` a task's thread, newest first: with files, signs, and what each answers."""
    get_workspace(actor_of(request), workspace_id, "workspace.view")
    here = whole(Message.objects.filter(workspace_id=workspace_id))
    rows = here.filter(task=None) if thread.task is None else here.filter(task_id=thread.task)
    return page(rows, paged, shown_messages.message)


@router.post(
    "/workspaces/{uuid:workspace_id}/messages",
    response={201: dict[str, Any]},
    openapi_extra=described(schemas.MessageIn),
)
def post_message(request: HttpRequest, response: HttpResponse, workspace_id: UUID) -> Answer:
    """Say something, as JSON or as a form with up to ten `files`; `reply_to`: the message of the same thread that it
    answers. With files it may be without words."""
    actor = actor_of(request)
    # Rights first: nobody fills the store of a workspace that is not theirs.
    require(actor, "message.post", workspace_id)
    few_files(request, messages.few_enough)
    form = read_form(request)
    body = form.parsed(schemas.MessageIn)
    if body.task is not None and get_task(actor, body.task, "task.view").workspace_id != workspace_id:
        raise NotFound("There is no such task here.")
    return write(
        request,
        response,
        messages.post_message,
        workspace_id,
        given=form.digest(),
        body=body.body,
        task_id=body.task,
        reply_to=body.reply_to,
        files=form.stored,
    )


@router.get("/messages/{uuid:message_id}")
def get_message_(request: HttpRequest, message_id: UUID) -> Answer:
    """One message. `version`: how often it was changed, which an edit names."""
    row = get_message(actor_of(request), message_id, "workspace.view")
    found = message_changes.versioned(whole(Message.objects.filter(pk=row.pk))).get()
    return {**shown_messages.message(found), "version": found.version}


@router.get("/messages/{uuid:message_id}/versions")
def list_message_versions(request: HttpRequest, message_id: UUID, paged: Paging) -> Answer:
    """What it said before it was changed, newest first. Nothing of one that was taken back."""
    row = get_message(actor_of(request), message_id, "workspace.view")
    return page(row.versions.all(), paged, shown_messages.version, order="-number")


class EditIn(Schema):
    """New words, and the version that they are based on."""

    body: str
    version: int = Field(ge=0, lt=2**31)


@router.patch("/messages/{uuid:message_id}")
def edit_message(request: HttpRequest, response: HttpResponse, message_id: UUID, body: EditIn) -> Answer:
    """Give your message other words. One that has moved on is a conflict (`message_moved`) with `now` and `version`."""
    return write(request, response, message_changes.edit_message, message_id, body=body.body, version=body.version)


@router.delete("/messages/{uuid:message_id}")
def remove_message(request: HttpRequest, response: HttpResponse, message_id: UUID) -> Answer:
    """Take back what you said, or as an admin what anybody said: words, earlier words and files are gone."""
    return write(request, response, message_changes.remove_message, message_id)


class SignIn(Schema):
    """One of the signs there are."""

    sign: str


@router.post("/messages/{uuid:message_id}/react")
def react_message(request: HttpRequest, response: HttpResponse, message_id: UUID, body: SignIn) -> Answer:
    """Put a sign on a message: 👍 ✅ ❤️ 😄 🎉 👀 ❓, each once."""
    return write(request, response, message_changes.react, message_id, sign=body.sign)


@router.post("/messages/{uuid:message_id}/unreact")
def unreact_message(request: HttpRequest, response: HttpResponse, message_id: UUID, body: SignIn) -> Answer:
    """Take your sign off again."""
    return write(request, response, message_changes.unreact, message_id, sign=body.sign)


@router.post("/messages/{uuid:message_id}/let-on")
def let_message_on(request: HttpRequest, response: HttpResponse, message_id: UUID) -> Answer:
    """Have those asked whom it names, where talk among agents was held up at it (`held_up`)."""
    return write(request, response, answers.let_on, message_id)


@router.get("/message-files/{uuid:file_id}/content")
def download_message_file(request: HttpRequest, file_id: UUID) -> HttpResponseBase:
    """A file that came with a message: inline only where its bytes are those of a picture, else as an attachment."""
    row = get_message_file(actor_of(request), file_id, "artifact.view")
    picture = picture_of(row.sha256, row.size)
    kind = row.content_type if picture is None else picture.content_type
    return download(
        request, sha256=row.sha256, size=row.size, name=row.name, content_type=kind, inline=picture is not None
    )


class SearchQuery(Schema):
    """What is looked for; with `kind` only these, page by page."""

    q: str = Field("", max_length=2000)
    kind: Literal["", "messages", "tasks", "files", "runs"] = ""
    page: int = Field(1, ge=1, le=100)


@router.get("/workspaces/{uuid:workspace_id}/search")
def search_workspace(request: HttpRequest, workspace_id: UUID, query: Query[SearchQuery]) -> Answer:
    """What has all of the words in it (the first 8, of 200 characters): a few of each kind, or one kind by pages."""
    get_workspace(actor_of(request), workspace_id, "workspace.view")
    found = search_in(workspace_id, query.q, kind=query.kind, page=query.page)
    groups = {group.kind: group for group in found.groups}
    return {
        "words": list(found.words),
        **{kind: shown_messages.found(groups[kind]) for kind in KINDS if kind in groups},
    }


class ThreadsQuery(Schema):
    """A page of threads."""

    page: int = Field(1, ge=1, le=1000)


@router.get("/workspaces/{uuid:workspace_id}/threads")
def list_threads(request: HttpRequest, workspace_id: UUID, query: Query[ThreadsQuery]) -> Answer:
    """Tasks that are spoken about or in hand, the newest line first, 50 on a page."""
    get_workspace(actor_of(request), workspace_id, "task.view")
    start = 50 * (query.page - 1)
    rows = list(threads_of(workspace_id)[start : start + 51])
    return {"items": [shown_messages.thread(row) for row in rows[:50]], "more": len(rows) > 50}
