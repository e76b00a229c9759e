"""Several people and an agent at one task, looked at after every step: requests, what is asked, and what rests."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from clawgroups.core.lifecycle import TASK_TERMINAL
from clawgroups.models import Command, ControlRequest, Task
from clawgroups.queries import asked_now
from clawgroups.services.asked_for import LIVING

OVER = [state.value for state in TASK_TERMINAL]


def together(workspace_id: UUID, *, swept: bool) -> list[str]:
    """What is wrong now. `swept`: who asked for a task that ended has been told, too."""
    return [*_requests(workspace_id, swept), *_asked(workspace_id), *_paused(workspace_id)]


def _requests(workspace_id: UUID, swept: bool) -> Iterator[str]:
    """A task is asked for only while it is held by who was asked."""
    moved = ~Q(task__state="held") | ~Q(task__holder=F("holder"))
    rows = ControlRequest.objects.select_related("task").filter(moved, workspace=workspace_id, state__in=LIVING)
    for row in rows if swept else rows.exclude(task__state__in=OVER):
        yield f"request {row.pk} is {row.state}, and its task is {row.task.state}, held by {row.task.holder_id}"


def _asked(workspace_id: UUID) -> Iterator[str]:
    """What waits to be asked of an agent is its holder's, under the task's epoch."""
    over = ~Q(attempt__state="working") | ~Q(attempt__task__state="held") | ~Q(attempt__task__epoch=F("epoch"))
    for row in Command.objects.filter(over, attempt__workspace=workspace_id, purpose="steer", state="open"):
        yield f"steer {row.pk} waits, and its attempt {row.attempt_id} is over"


def _paused(workspace_id: UUID) -> Iterator[str]:
    """What somebody paused is asked of nobody."""
    for task in Task.objects.filter(workspace=workspace_id).exclude(paused=""):
        if (seat := asked_now(task, timezone.now())) is not None:
            yield f"task {task.pk} is paused by {task.paused}, and {seat} is asked for it"
