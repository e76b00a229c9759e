"""What waits for people: agents' questions, tasks that only a person can move on, plans to check, goals asked about."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.errors import NotFound
from clawgroups.fragments import rooms, task_hint
from clawgroups.fragments.tasks import cards
from clawgroups.models import Run, Task
from clawgroups.permissions import get_approval
from clawgroups.services import waits_for
from clawgroups.services.approvals import decide_approval as decide
from clawgroups.services.perform import perform
from clawgroups.web.http import actor_of, done, operation_of, page
from clawgroups.web.workspaces import follows, workspaces_of

SHOWN = 100
ANSWER = "answer-"  # before the name of a form's field


@require_safe
def needs_you(request: HttpRequest) -> HttpResponse:
    """The list, oldest first."""
    actor = actor_of(request)
    followed = follows(workspaces_of(actor)[:20])
    asks = list(waits_for.open_asks(actor.user_id).select_related("attempt__member", "task")[:SHOWN])
    asking = {ask.task_id for ask in asks}
    context: dict[str, Any] = {
        "follows": followed,
        "nav": "needs",
        "asks": asks,
        "tasks": [c for c in cards(waits_for.held_up(actor.user_id))[:SHOWN] if c.task.pk not in asking],
        "plans": rooms.runs(waits_for.plans(actor.user_id), SHOWN),
        "counted": True,
    }
    context["count"] = len(asks) + len(context["tasks"]) + len(context["plans"])
    return page(request, "approvals/list.html", context)


@require_safe
def count_needs(request: HttpRequest) -> HttpResponse:
    """The badge."""
    actor = actor_of(request)
    waiting = Task.objects.filter(waits_for.held_up(actor.user_id)).exclude(approvals__state="open").count()
    count = (
        waits_for.open_asks(actor.user_id).count()
        + waiting
        + Run.objects.filter(waits_for.plans(actor.user_id)).count()
    )
    context = {"count": count, "full": True, "counted": True, "here": request.GET.get("here", "")}
    response = render(request, "_needs.html", context)
    response["HX-Trigger"] = "reload-needs"
    return response


@require_POST
def decide_approval(request: HttpRequest, workspace_id: UUID, approval_id: UUID) -> HttpResponse:
    """Answer an agent's question."""
    actor = actor_of(request)
    found = get_approval(actor, approval_id, "approval.decide")
    if found.workspace_id != workspace_id:
        raise NotFound("There is no such question in this workspace.")
    said = {"option_id": request.POST.get("option", ""), "text": request.POST.get("text", "")}
    answers = {key.removeprefix(ANSWER): request.POST.getlist(key) for key in request.POST if key.startswith(ANSWER)}
    perform(decide, approval_id, answers=answers, **said, actor=actor, operation=operation_of(request))
    to = reverse("task", args=[workspace_id, found.task_id])
    return done(request, to, [task_hint(found.task_id, f"asked-{approval_id}")])
