"""Doors of messages: say, answer, change, mark, take back; where one stands, what it said before, whole threads."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clawgroups.core.actors import Actor
from clawgroups.core.commands import command_of
from clawgroups.core.errors import ClawError, Conflict, Invalid, NotFound
from clawgroups.core.signs import SIGNS
from clawgroups.fragments import pieces
from clawgroups.fragments.messages import messages_of, whole
from clawgroups.models import Message, Task
from clawgroups.permissions import ADMINS, get_message, get_task, get_workspace, require
from clawgroups.services import answers, commanding, message_changes, messages, saying
from clawgroups.services.perform import perform
from clawgroups.web.forms import take_in
from clawgroups.web.http import Viewer, actor_of, done, fresh_operation, is_htmx, operation_of, page, paged, see
from clawgroups.web.workspaces import TALK, follows
from clawgroups.wording import say

PAGE = 100
THREAD = 200


@require_POST
def post_message(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Say something in the chat, or in a task's thread: words, files, an answer to another message."""
    actor = actor_of(request)
    # Rights first: nobody fills the store of a workspace that is not theirs.
    require(actor, "message.post", workspace_id)
    task_id = _task_named(request.POST.get("task", ""), actor, workspace_id)
    messages.few_enough(len(request.FILES.getlist("files")))
    body = request.POST.get("body", "")
    if (command := command_of(body)) is not None:
        pk = commanding.obey(workspace_id, body, command, actor=actor, task_id=task_id)
        return done(request, _thread_page(workspace_id, task_id), [*pieces("message", [pk]), fresh_operation()])
    outcome = perform(
        saying.say,
        workspace_id,
        body=body,
        task_id=task_id,
        reply_to=_id(request.POST.get("reply_to", ""), "The message that you answer is not in this workspace."),
        files=take_in(request),
        actor=actor,
        operation=operation_of(request),
    )
    answer = pieces("message", [UUID(outcome.answer.get("message", outcome.answer["id"]))])
    return done(request, _thread_page(workspace_id, task_id), [*answer, fresh_operation()])


@require_safe
def message_list(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Every message of the chat, or with `task` of a task's thread: newest page first, each in order."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "workspace.view")
    task_id = _task_named(request.GET.get("task", ""), actor, workspace_id)
    shown = paged(request, _newest_first(workspace_id, task_id), PAGE)
    shown.object_list = messages_of([m.pk for m in shown.object_list])
    context = {
        "follows": follows([found]),
        "workspace": found,
        "page": shown,
        "task": Task.objects.filter(pk=task_id).first() if task_id else None,
        "query": f"task={task_id}" if task_id else "",
        "viewer": Viewer(actor, workspace_id),
    }
    return page(request, "messages/list.html", context)


@require_safe
def message(request: HttpRequest, workspace_id: UUID, message_id: UUID) -> HttpResponse:
    """Lead to a message where it stands: in the chat or its thread, or on the page of all messages that has it."""
    row = _message_of(actor_of(request), workspace_id, message_id, "workspace.view")
    newer = _newest_first(workspace_id, row.task_id).filter(created_at__gte=row.created_at)
    # Of those of the same moment the order is that of their ids.
    place = newer.exclude(created_at=row.created_at, pk__lte=row.pk).count()
    if place < (THREAD if row.task_id else TALK):
        there = _thread_page(workspace_id, row.task_id)
    else:
        there = f"{reverse('messages', args=[workspace_id])}?page={place // PAGE + 1}"
        there += f"&task={row.task_id}" if row.task_id else ""
    return see(f"{there}#message-{row.pk}")


@require_safe
def message_actions(request: HttpRequest, workspace_id: UUID, message_id: UUID) -> HttpResponse:
    """What the viewer can do with a message."""
    actor = actor_of(request)
    row = _message_of(actor, workspace_id, message_id, "workspace.view")
    seat = Viewer(actor, workspace_id).seat
    mine = seat is not None and row.member_id == seat.pk
    own = set(row.reactions.filter(member=seat).values_list("sign", flat=True))
    context = {
        "signs": [(sign, word, sign in own) for sign, word in SIGNS.items()],
        "mine": mine,
        "may_keep": Viewer(actor, workspace_id).can["memory_keep"],
        "may_let_on": bool(row.held_up) and Viewer(actor, workspace_id).can["run_draft"],
        "may_remove": mine or (seat is not None and seat.role in ADMINS),
    }
    return _about(request, row, "messages/_actions.html", context)


@require_safe
def message_history(request: HttpRequest, workspace_id: UUID, message_id: UUID) -> HttpResponse:
    """What a message said before it was changed."""
    row = _message_of(actor_of(request), workspace_id, message_id, "workspace.view")
    versions = row.versions.order_by("-number")[:100]
    return _about(request, row, "messages/_history.html", {"versions": versions})


@require_http_methods(["GET", "HEAD", "POST"])
def edit_message(request: HttpRequest, workspace_id: UUID, message_id: UUID) -> HttpResponse:
    """Give one's message other words. Where it was changed meanwhile, both stand side by side and nothing is lost."""
    actor = actor_of(request)
    row = _message_of(actor, workspace_id, message_id, "message.edit")
    if request.method != "POST":
        now = message_changes.versioned(Message.objects.filter(pk=row.pk)).get()
        return _editor(request, now, now.body, now.version)
    typed = request.POST.get("body", "").replace("\r\n", "\n")
    try:
        perform(
            message_changes.edit_message,
            message_id,
            body=typed,
            version=_number(request.POST.get("version", "")),
            actor=actor,
            operation=operation_of(request),
        )
    except Invalid as fault:
        return _editor(request, row, typed, _number(request.POST.get("version", "")), fault=fault)
    except Conflict as fault:
        if fault.code != message_changes.MOVED:
            raise
        now, version = str(fault.fields["now"]), int(fault.fields["version"])
        return _editor(request, row, typed, version, fault=fault, now=now)
    return _changed(request, row)


@require_POST
def let_on(request: HttpRequest, workspace_id: UUID, message_id: UUID) -> HttpResponse:
    """Have talk among agents go on that was held up at this message."""
    actor = actor_of(request)
    row = _message_of(actor, workspace_id, message_id, "run.draft")
    perform(answers.let_on, message_id, actor=actor, operation=operation_of(request))
    return _changed(request, row)


@require_POST
def react_message(request: HttpRequest, workspace_id: UUID, message_id: UUID) -> HttpResponse:
    """Put a sign on a message (`react`), take it off (`unreact`), or whichever it is not (`sign`, without script)."""
    actor = actor_of(request)
    row = _message_of(actor, workspace_id, message_id, "message.react")
    sign = next((str(request.POST[name]) for name in ("react", "unreact", "sign") if name in request.POST), "")
    off = "unreact" in request.POST
    if "sign" in request.POST:
        seat = Viewer(actor, workspace_id).seat
        off = row.reactions.filter(member=seat, sign=sign).exists()
    verb = message_changes.unreact if off else message_changes.react
    perform(verb, message_id, sign=sign, actor=actor)
    return _changed(request, row)


@require_POST
def remove_message(request: HttpRequest, workspace_id: UUID, message_id: UUID) -> HttpResponse:
    """Take a message back."""
    actor = actor_of(request)
    row = _message_of(actor, workspace_id, message_id, "message.remove")
    perform(message_changes.remove_message, message_id, actor=actor, operation=operation_of(request))
    return _changed(request, row)


def _changed(request: HttpRequest, row: Message) -> HttpResponse:
    return done(request, reverse("message", args=[row.workspace_id, row.pk]), pieces("message", [row.pk]))


def _editor(
    request: HttpRequest, row: Message, typed: str, version: int, *, fault: ClawError | None = None, now: str = ""
) -> HttpResponse:
    status = 422 if fault else 200
    context = {"typed": typed, "version": version, "error": say(fault.message) if fault else "", "now": now}
    return _about(request, row, "messages/_edit.html", context, status=status)


def _about(request: HttpRequest, row: Message, part: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A part about one message: alone for whoever opens it over a page, else as a page with the message above it."""
    context = {"message": row, "part": part, **context}
    if is_htmx(request):
        response = render(request, part, context, status=status)
        response["Cache-Control"] = "private, no-store"
        return response
    (context["message"],) = whole(Message.objects.filter(pk=row.pk))
    workspace = get_workspace(actor_of(request), row.workspace_id, "workspace.view")
    more = {"workspace": workspace, "viewer": Viewer(actor_of(request), row.workspace_id)}
    return page(request, "messages/about.html", {**context, **more}, status)


def _newest_first(workspace_id: UUID, task_id: UUID | None) -> Any:
    return Message.objects.filter(workspace=workspace_id, task=task_id).order_by("-created_at", "-id")


def _message_of(actor: Actor, workspace_id: UUID, message_id: UUID, action: str) -> Message:
    row = get_message(actor, message_id, action)
    if row.workspace_id != workspace_id:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    return row


def _task_named(named: str, actor: Actor, workspace_id: UUID) -> UUID | None:
    """The task whose thread a message is for, if it is one of this workspace."""
    if not named:
        return None
    pk = _id(named, "There is no such task in this workspace.")
    assert pk is not None
    found = get_task(actor, pk, "task.view")
    if found.workspace_id != workspace_id:
        raise NotFound("There is no such task in this workspace.")
    return found.pk


def _id(named: str, otherwise: str) -> UUID | None:
    try:
        return UUID(named) if named else None
    except ValueError:
        raise NotFound(otherwise) from None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _thread_page(workspace_id: UUID, task_id: UUID | None) -> str:
    if task_id is None:
        return reverse("workspace", args=[workspace_id])
    return reverse("task", args=[workspace_id, task_id])
