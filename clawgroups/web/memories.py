"""What a workspace remembers: seen by everybody in it, added to, changed and struck out by the team."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.actors import Actor
from clawgroups.core.errors import ClawError, NotFound
from clawgroups.core.text_merge import DiffLine, diff
from clawgroups.models import Memory, MemoryVersion, Message, Workspace
from clawgroups.permissions import get_memory, get_message, get_workspace
from clawgroups.services import memories, recalling
from clawgroups.services.perform import perform
from clawgroups.web.forms import carry_out
from clawgroups.web.http import Viewer, actor_of, operation_of, page, paged, sent_to, typed
from clawgroups.web.undo import offered

LONGEST = 200
MOST_VERSIONS = 100  # of a note, the newest


class NoteForm(forms.Form):
    """A note for everybody here."""

    key = forms.CharField(
        max_length=memories.MAX_KEY,
        label=gettext_lazy("About"),
        help_text=gettext_lazy("A few words to find it by. The same words again replace the note."),
        widget=forms.TextInput({"placeholder": gettext_lazy("currency of the sales files")}),
    )
    text = forms.CharField(
        max_length=memories.MAX_NOTE, label=gettext_lazy("Note"), widget=forms.Textarea({"rows": 3, "data-keep": ""})
    )


class EditForm(forms.Form):
    """What a note says from now on."""

    text = forms.CharField(
        max_length=memories.MAX_NOTE, label=gettext_lazy("Note"), widget=forms.Textarea({"rows": 6, "data-keep": ""})
    )


@require_safe
def memory_list(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """All notes, newest first; with `q` those that fit best first, with `show` those of one scope or struck out.

    With `message` the form is filled in from that message, which becomes the note's source.
    """
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "memory.view")
    message = _message(request.GET.get("message", ""), found, actor)
    form = NoteForm(initial={"text": message.body[: memories.MAX_NOTE]} if message is not None else {})
    return _show(request, found, form, message)


def _show(
    request: HttpRequest, found: Workspace, form: NoteForm, message: Message | None = None, status: int = 200
) -> HttpResponse:
    actor = actor_of(request)
    query, shown = typed(request, "q", LONGEST), request.GET.get("show", "")
    notes = _of(recalling.notes_of(found.pk, actor, query), shown)
    rows = recalling.ordered(notes, query) if query else notes
    context: dict[str, Any] = {
        "workspace": found,
        "page": paged(request, rows),
        "form": form,
        "viewer": Viewer(actor, found.pk),
        "query": query,
        "show": shown,
        "message": message,
    }
    return page(request, "memories/list.html", context, status)


def _of(notes: QuerySet[Memory], shown: str) -> QuerySet[Memory]:
    match shown:
        case "workspace":
            return notes.filter(task=None, agent=None)
        case "task":
            return notes.filter(task__isnull=False)
        case "agent":
            return notes.filter(agent__isnull=False)
        case "struck":
            return notes.filter(struck_at__isnull=False)
        case _:
            return notes


def _message(pk: str, found: Workspace, actor: Actor) -> Message | None:
    """The message of this workspace that is to be remembered; None where there is none, or it was taken back."""
    try:
        message = get_message(actor, UUID(pk), "memory.view") if pk else None
    except (ValueError, ClawError):
        return None
    return message if message is not None and message.workspace_id == found.pk and not message.removed_at else None


@require_POST
@offered("remember")
def remember(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Keep a note."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "memory.keep")
    form = NoteForm(request.POST)
    message = _message(request.POST.get("message", ""), found, actor)
    outcome = None
    if form.is_valid():
        said = form.cleaned_data
        outcome = carry_out(
            form,
            memories.remember,
            workspace_id,
            key=said["key"],
            text=said["text"],
            message_id=message.pk if message is not None else None,
            actor=actor,
            operation=operation_of(request),
        )
    if outcome is None:
        return _show(request, found, form, message, status=422)
    return sent_to(request, reverse("memories", args=[workspace_id]))


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was done to a note, and how its text differs from what it was before."""

    version: MemoryVersion
    lines: list[DiffLine]


@require_safe
def memory(request: HttpRequest, workspace_id: UUID, memory_id: UUID) -> HttpResponse:
    """One note: what it says, where it came from, everything that was done to it."""
    note = _note(request, workspace_id, memory_id, "memory.view")
    return _shown(request, note, EditForm(initial={"text": note.text}))


def _shown(request: HttpRequest, note: Memory, form: EditForm, status: int = 200) -> HttpResponse:
    newest = note.versions.select_related("attempt__task", "message").order_by("-at", "-id")
    versions = list(newest[:MOST_VERSIONS])[::-1]
    before = ["", *(one.text for one in versions)]
    history = [
        Done(one, diff(was, one.text) if was and was != one.text else [])
        for one, was in zip(versions, before, strict=False)
    ]
    context: dict[str, Any] = {
        "workspace": note.workspace,
        "note": note,
        "history": history[::-1],
        "form": form,
        "viewer": Viewer(actor_of(request), note.workspace_id),
    }
    return page(request, "memories/note.html", context, status)


def _note(request: HttpRequest, workspace_id: UUID, memory_id: UUID, action: str) -> Memory:
    """The note of this workspace. Raises `NotFound`, `Forbidden`."""
    actor = actor_of(request)
    if get_memory(actor, memory_id, action).workspace_id != workspace_id:
        raise NotFound("There is no such note in this workspace.")
    return recalling.note(memory_id, actor)


@require_POST
@offered("edit-memory")
def edit_memory(request: HttpRequest, workspace_id: UUID, memory_id: UUID) -> HttpResponse:
    """Change what a note says."""
    note = _note(request, workspace_id, memory_id, "memory.edit")
    form = EditForm(request.POST)
    outcome = None
    if form.is_valid():
        outcome = carry_out(
            form,
            memories.edit_note,
            memory_id,
            text=form.cleaned_data["text"],
            shown=_version(request.POST.get("version", "")),
            actor=actor_of(request),
            operation=operation_of(request),
        )
    if outcome is None:
        return _shown(request, note, form, status=422)
    return sent_to(request, reverse("memory", args=[workspace_id, memory_id]))


def _version(said: str) -> UUID | None:
    try:
        return UUID(said)
    except ValueError:
        return None


@require_POST
@offered("strike-memory")
def strike_memory(request: HttpRequest, workspace_id: UUID, memory_id: UUID) -> HttpResponse:
    """Strike a note out."""
    _note(request, workspace_id, memory_id, "memory.edit")
    perform(memories.strike_out, memory_id, actor=actor_of(request), operation=operation_of(request))
    return sent_to(request, reverse("memory", args=[workspace_id, memory_id]))


@require_POST
@offered("restore-memory")
def restore_memory(request: HttpRequest, workspace_id: UUID, memory_id: UUID) -> HttpResponse:
    """Let a note that was struck out hold again."""
    _note(request, workspace_id, memory_id, "memory.edit")
    perform(memories.take_back, memory_id, actor=actor_of(request), operation=operation_of(request))
    return sent_to(request, reverse("memory", args=[workspace_id, memory_id]))


@require_POST
def forget(request: HttpRequest, workspace_id: UUID, memory_id: UUID) -> HttpResponse:
    """Remove a note that is struck out for good."""
    _note(request, workspace_id, memory_id, "memory.forget")
    perform(memories.forget, memory_id, actor=actor_of(request), operation=operation_of(request))
    messages.success(request, gettext("It is removed for good."))
    return sent_to(request, reverse("memories", args=[workspace_id]))
