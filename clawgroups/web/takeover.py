"""Taking a task into one's own hands."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from clawgroups.services import takeover
from clawgroups.services.perform import perform
from clawgroups.web.http import actor_of, operation_of
from clawgroups.web.task_doors import changed, epoch_of, fresh, task_of


@require_POST
def take_over_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Stop whoever works on it and hold it oneself."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.take_over"))
    takeover.bring_in(task_id, actor=actor)
    perform(
        takeover.Insistent(),
        task_id,
        force=request.POST.get("force") == "1",
        reason=request.POST.get("reason", ""),
        epoch=epoch_of(request),
        actor=actor,
        operation=operation_of(request),
    )
    return changed(request, workspace_id, task_id)
