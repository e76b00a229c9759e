"""What every view of a task's verbs starts and ends with."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from clawgroups.core.actors import Actor
from clawgroups.core.errors import Invalid, NotFound
from clawgroups.fragments import pieces, task_hint
from clawgroups.models import Task
from clawgroups.permissions import get_task
from clawgroups.services.hands import check_seen
from clawgroups.web.http import done, is_htmx


def task_of(actor: Actor, workspace_id: UUID, task_id: UUID, action: str) -> Task:
    """A task, under the address of its own workspace only."""
    found = get_task(actor, task_id, action)
    if found.workspace_id != workspace_id:
        raise NotFound("There is no such task in this workspace.")
    return found


def fresh(request: HttpRequest, task: Task) -> Task:
    """The task, if it still is what the page showed: every form of it says which epoch that was.

    Raises `Conflict` (code "moved_on") naming who has it now.
    """
    check_seen(task, epoch_of(request))
    return task


def epoch_of(request: HttpRequest) -> int | None:
    """The epoch of the task that the form was made for; None where it says none."""
    said = request.POST.get("epoch", "")
    return int(said) if said.isdecimal() and len(said) < 10 else None


def changed(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """After a verb on a task: its page loads anew, its card stands right."""
    if not is_htmx(request):
        return done(request, reverse("task", args=[workspace_id, task_id]))
    version = f"{Task.objects.values_list('workspace__head', flat=True).get(pk=task_id)}+"
    return done(request, "", [task_hint(task_id, version), *pieces("task_card", [task_id])])


def member_of(request: HttpRequest) -> UUID:
    """The member a form names."""
    try:
        return UUID(request.POST.get("member", ""))
    except ValueError:
        raise Invalid("Choose an agent.", field="member") from None
