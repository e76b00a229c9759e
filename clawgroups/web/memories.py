"""What a workspace remembers: seen by everybody in it, added to and thinned out by the team."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.errors import NotFound
from clawgroups.models import Workspace
from clawgroups.permissions import get_memory, get_workspace
from clawgroups.services import memories
from clawgroups.services.perform import perform
from clawgroups.web.forms import carry_out
from clawgroups.web.http import Viewer, actor_of, done, operation_of, page, paged
from clawgroups.web.undo import offered


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


@require_safe
def memory_list(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """All notes, newest first."""
    found = get_workspace(actor_of(request), workspace_id, "memory.view")
    return _show(request, found, NoteForm())


def _show(request: HttpRequest, found: Workspace, form: NoteForm, status: int = 200) -> HttpResponse:
    actor = actor_of(request)
    notes = paged(request, memories.notes_of(found.pk, actor))
    context: dict[str, Any] = {"workspace": found, "page": notes, "form": form, "viewer": Viewer(actor, found.pk)}
    return page(request, "memories/list.html", context, status)


@require_POST
@offered("remember")
def remember(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Keep a note."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "memory.keep")
    form = NoteForm(request.POST)
    outcome = None
    if form.is_valid():
        said = form.cleaned_data
        operation = operation_of(request)
        outcome = carry_out(
            form, memories.remember, workspace_id, key=said["key"], text=said["text"], actor=actor, operation=operation
        )
    if outcome is None:
        return _show(request, found, form, status=422)
    return done(request, reverse("memories", args=[workspace_id]))


@require_POST
@offered("forget")
def forget(request: HttpRequest, workspace_id: UUID, memory_id: UUID) -> HttpResponse:
    """Take a note away."""
    actor = actor_of(request)
    if get_memory(actor, memory_id, "memory.forget").workspace_id != workspace_id:
        raise NotFound("There is no such note in this workspace.")
    perform(memories.forget, memory_id, actor=actor, operation=operation_of(request))
    return done(request, reverse("memories", args=[workspace_id]))
