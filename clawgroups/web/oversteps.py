"""What agents did without asking though it is critical: shown on the task's page until somebody has looked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from clawgroups.core.errors import NotFound
from clawgroups.fragments import task_hint
from clawgroups.models import Task
from clawgroups.services import overstepping
from clawgroups.services.perform import perform
from clawgroups.web.http import Viewer, actor_of, done, operation_of


def shown(task: Task, viewer: Viewer) -> dict[str, Any]:
    """What nobody has looked at in a task that goes on."""
    rows = overstepping.unseen().filter(task=task).select_related("step", "rule", "attempt__member")
    return {"oversteps": list(rows) if viewer.can["approval_view"] else []}


@require_POST
def look_at_overstep(request: HttpRequest, workspace_id: UUID, overstep_id: UUID) -> HttpResponse:
    """Say that one has looked at it."""
    actor = actor_of(request)
    found = overstepping.get_overstep(actor, overstep_id, "approval.decide")
    if found.workspace_id != workspace_id:
        raise NotFound("There is no such thing in this workspace.")
    perform(overstepping.look_at_overstep, overstep_id, actor=actor, operation=operation_of(request))
    to = reverse("task", args=[workspace_id, found.task_id])
    return done(request, to, [task_hint(found.task_id, f"seen-{overstep_id}")])
