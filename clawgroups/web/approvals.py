"""Answering what an agent asks."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from clawgroups.core.errors import NotFound
from clawgroups.fragments import task_hint
from clawgroups.permissions import get_approval
from clawgroups.services.approvals import decide_approval as decide
from clawgroups.services.perform import perform
from clawgroups.web.http import actor_of, done, operation_of

ANSWER = "answer-"  # before the name of a form's field


def answers_of(request: HttpRequest) -> dict[str, list[str]]:
    """What was filled in of an agent's form, by the names of its fields."""
    return {key.removeprefix(ANSWER): request.POST.getlist(key) for key in request.POST if key.startswith(ANSWER)}


@require_POST
def decide_approval(request: HttpRequest, workspace_id: UUID, approval_id: UUID) -> HttpResponse:
    """Answer an agent's question."""
    actor = actor_of(request)
    found = get_approval(actor, approval_id, "approval.decide")
    if found.workspace_id != workspace_id:
        raise NotFound("There is no such question in this workspace.")
    said = {"option_id": request.POST.get("option", ""), "text": request.POST.get("text", "")}
    said["digest"] = request.POST.get("digest", "")
    answers = answers_of(request)
    perform(decide, approval_id, answers=answers, **said, actor=actor, operation=operation_of(request))
    to = reverse("task", args=[workspace_id, found.task_id])
    return done(request, to, [task_hint(found.task_id, f"asked-{approval_id}")])
