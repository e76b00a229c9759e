"""What waits for people: agents' questions, tasks that only a person can move on, plans to check, goals asked about."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.actors import Actor
from clawgroups.core.errors import NotFound
from clawgroups.core.lifecycle import TASK_TERMINAL
from clawgroups.fragments import rooms, task_hint
from clawgroups.fragments.tasks import cards
from clawgroups.models import Approval, Member, Run, Task
from clawgroups.permissions import ACTIONS, get_approval
from clawgroups.services.approvals import decide_approval as decide
from clawgroups.services.perform import perform
from clawgroups.web.http import actor_of, done, operation_of, page
from clawgroups.web.workspaces import follows, workspaces_of

SHOWN = 100
ANSWER = "answer-"  # before the name of a form's field


def _mine(actor: Actor, action: str) -> list[UUID]:
    """The workspaces where the actor may do this."""
    roles = [role.value for role in ACTIONS[action].roles]
    seats = Member.objects.filter(user=actor.user_id, left_at=None, role__in=roles)
    return list(seats.values_list("workspace_id", flat=True))


def _open_asks(actor: Actor) -> Any:
    return Approval.objects.filter(workspace__in=_mine(actor, "approval.decide"), state="open")


def _held_up(actor: Actor) -> Q:
    """Tasks that wait for a person; what somebody else holds is that person's."""
    mine = Q(workspace__in=_mine(actor, "task.take_over"), blocked_on="person", run__state="running")
    free = Q(holder=None) | Q(holder__user_id=actor.user_id)
    # One that somebody is asked to do is theirs to answer.
    names = Member.objects.filter(user=actor.user_id, left_at=None).values("name")
    free &= ~Q(state="ready") | Q(next_actor__in=names)
    return mine & free & ~Q(state__in=[s.value for s in TASK_TERMINAL])


def _plans(actor: Actor) -> Q:
    asked = Q(workspace__in=_mine(actor, "run.answer"), state="planning") & ~Q(question="")
    return Q(workspace__in=_mine(actor, "run.start"), state="proposed") | asked


@require_safe
def needs_you(request: HttpRequest) -> HttpResponse:
    """The list, oldest first."""
    actor = actor_of(request)
    followed = follows(workspaces_of(actor)[:20])
    asks = list(_open_asks(actor).select_related("attempt__member", "task")[:SHOWN])
    asking = {ask.task_id for ask in asks}
    context: dict[str, Any] = {
        "follows": followed,
        "nav": "needs",
        "asks": asks,
        "tasks": [c for c in cards(_held_up(actor))[:SHOWN] if c.task.pk not in asking],
        "plans": rooms.runs(_plans(actor), SHOWN),
        "counted": True,
    }
    context["count"] = len(asks) + len(context["tasks"]) + len(context["plans"])
    return page(request, "approvals/list.html", context)


@require_safe
def count_needs(request: HttpRequest) -> HttpResponse:
    """The badge."""
    actor = actor_of(request)
    waiting = Task.objects.filter(_held_up(actor)).exclude(approvals__state="open").count()
    count = _open_asks(actor).count() + waiting + Run.objects.filter(_plans(actor)).count()
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
    said["digest"] = request.POST.get("digest", "")
    answers = {key.removeprefix(ANSWER): request.POST.getlist(key) for key in request.POST if key.startswith(ANSWER)}
    perform(decide, approval_id, answers=answers, **said, actor=actor, operation=operation_of(request))
    to = reverse("task", args=[workspace_id, found.task_id])
    return done(request, to, [task_hint(found.task_id, f"asked-{approval_id}")])
