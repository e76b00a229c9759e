"""Why a task went to somebody, giving it to somebody else, and what the matching learned from that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clawgroups.coordinator.ranking import ranking_now
from clawgroups.core.errors import NotFound
from clawgroups.fragments.ranking import ranked_of
from clawgroups.fragments.tasks import now_of
from clawgroups.permissions import get_workspace
from clawgroups.services import asking, choices
from clawgroups.services.perform import perform
from clawgroups.web.http import Viewer, actor_of, done, operation_of, page, paged
from clawgroups.web.task_doors import changed, fresh, member_of, task_of
from clawgroups.web.undo import offered
from clawgroups.web.workspaces import follows


@require_safe
def match(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Who could do the task at this moment, all of them, each with the parts of its score."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.view")
    context: dict[str, Any] = {
        "follows": follows([found.workspace]),
        "now": now_of(found.pk),
        "viewer": Viewer(actor, workspace_id),
        "ranked": [],
    }
    if context["now"].card.is_open:
        context["ranked"] = [ranked_of(one.as_json()) for one in ranking_now(found, timezone.now())]
    return page(request, "tasks/match.html", context)


@require_POST
@offered("choose-member")
def choose_member(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Give it to another one."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.choose"))
    perform(
        choices.choose_member,
        task_id,
        member_id=member_of(request),
        stop=request.POST.get("stop") == "1",
        actor=actor,
        operation=operation_of(request),
    )
    return changed(request, workspace_id, task_id)


@require_POST
def decline_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """“Not this one.”"""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.take_over"))
    reason = request.POST.get("reason", "")
    perform(asking.decline_task, task_id, reason=reason, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_safe
def learned(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """The choices that the matching learned from."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "task.view")
    rows = paged(request, choices.overrides_of(found.pk, actor))
    context = {"workspace": found, "page": rows, "viewer": Viewer(actor, found.pk)}
    return page(request, "workspaces/learned.html", context)


@require_POST
def forget_choice(request: HttpRequest, workspace_id: UUID, override_id: UUID) -> HttpResponse:
    """Learn nothing from a choice any more."""
    actor = actor_of(request)
    get_workspace(actor, workspace_id, "task.choose")
    if not choices.overrides_of(workspace_id, actor).filter(pk=override_id).exists():
        raise NotFound("There is no such choice in this workspace.")
    perform(choices.forget_choice, override_id, actor=actor, operation=operation_of(request))
    return done(request, reverse("learned", args=[workspace_id]), (), _("It is forgotten."))
