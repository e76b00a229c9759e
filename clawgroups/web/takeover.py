"""Taking a task into one's own hands, and giving it away again."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from clawgroups.models import Draft
from clawgroups.services import takeover
from clawgroups.services.perform import perform
from clawgroups.web.forms import take_in
from clawgroups.web.http import actor_of, is_htmx, operation_of
from clawgroups.web.tasks import changed, member_of, task_of


@require_POST
def take_over_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Stop whoever works on it and hold it oneself."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.take_over")
    force = request.POST.get("force") == "1"
    takeover.bring_in(task_id, actor=actor)
    perform(takeover.take_over, task_id, force=force, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def save_draft(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Save a version of the draft; the editor does so while one types."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    perform(takeover.save_draft, task_id, text=_text(request), actor=actor)
    if not is_htmx(request):
        return changed(request, workspace_id, task_id)
    return render(request, "tasks/_draft_piece.html", {"draft": _newest_draft(task_id), "task_id": task_id})


@require_POST
def submit_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Finish by hand."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    files = take_in(request)
    perform(
        takeover.submit_held, task_id, result=_text(request), files=files, actor=actor, operation=operation_of(request)
    )
    return changed(request, workspace_id, task_id)


@require_POST
def hand_back_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Give it back with a note."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    note = request.POST.get("note", "")
    perform(takeover.hand_back, task_id, note=note, text=_editor(request), actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def reassign_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Give it to another agent with a note."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    perform(
        takeover.reassign_task,
        task_id,
        text=_editor(request),
        member_id=member_of(request),
        note=request.POST.get("note", ""),
        actor=actor,
        operation=operation_of(request),
    )
    return changed(request, workspace_id, task_id)


def _newest_draft(task_id: UUID) -> Draft | None:
    return Draft.objects.filter(attempt__task=task_id).order_by("-saved_at").first()


def _editor(request: HttpRequest) -> str | None:
    """What stands in the editor, also what was typed after it last saved by itself; None without script."""
    return _text(request) if "text" in request.POST else None


def _text(request: HttpRequest) -> str:
    # Browsers send CRLF for the line ends of a textarea.
    return request.POST.get("text", "").replace("\r\n", "\n")
