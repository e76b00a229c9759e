"""What agents did without asking though it is critical: shown on the task's page until somebody has looked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from clawgroups.core.errors import NotFound
from clawgroups.fragments import task_hint
from clawgroups.models import Overstep, Task
from clawgroups.services import overstepping
from clawgroups.services.perform import perform
from clawgroups.web.http import Viewer, actor_of, done, operation_of


@dataclass(frozen=True, slots=True)
class Shown:
    """Something that was done, as a question about it would show it."""

    row: Overstep

    @property
    def call(self) -> dict[str, Any]:
        """The tool call, as a question keeps one."""
        step = self.row.step
        return {**step.detail, "kind": step.kind, "title": step.title}


def views(wanted: Q) -> list[Shown]:
    """Those that nobody has looked at, the first one first."""
    rows = overstepping.unseen().filter(wanted)
    return [Shown(row) for row in rows.select_related("step", "rule", "task__workspace", "attempt__member")]


def shown(task: Task, viewer: Viewer) -> dict[str, Any]:
    """What nobody has looked at in a task that goes on."""
    return {"oversteps": views(Q(task=task)) if viewer.can["approval_view"] else []}


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
