"""How far the viewer has read, and what is new to them."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from clawgroups import commit
from clawgroups.core.errors import NotFound
from clawgroups.permissions import get_message
from clawgroups.services import reading
from clawgroups.services.perform import TRIES
from clawgroups.web.http import actor_of
from clawgroups.web.workspaces import id_of, unread_of


@require_safe
def count_unread(request: HttpRequest) -> HttpResponse:
    """The part of the side pane that tells it."""
    context = {**unread_of(actor_of(request), id_of(request.GET.get("at", ""))), "full": True}
    return render(request, "workspaces/_unread.html", context)


@require_POST
def mark_read(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Everything up to this message was on the viewer's screen."""
    actor, message_id = actor_of(request), id_of(request.POST.get("message", ""))
    if message_id is None or get_message(actor, message_id, "message.mark_read").workspace_id != workspace_id:
        raise NotFound("There is no such message in this workspace.")
    # Another page of the same person may move the mark meanwhile: it is decided again from where that left it.
    for _ in range(TRIES):
        future = reading.mark_read(message_id, actor=actor)
        if future is None or commit.wait(future).applied:
            break
    return HttpResponse(status=204)
