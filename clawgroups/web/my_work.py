"""A person's own work in all their workspaces, and passing on what they are asked for."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from clawgroups.fragments.my_work import count_of, work_of
from clawgroups.services import delegating
from clawgroups.services.perform import perform
from clawgroups.web.http import actor_of, operation_of, page
from clawgroups.web.task_doors import changed, fresh, member_of, task_of
from clawgroups.web.workspaces import follows, workspaces_of


@require_safe
def my_work(request: HttpRequest) -> HttpResponse:
    """Asked of me, in my hands, on its way to somebody else, come back."""
    actor = actor_of(request)
    followed = follows(workspaces_of(actor)[:20])
    work = work_of(actor.user_id, timezone.now())
    context = {"follows": followed, "nav": "work", "work": work, "work_count": work.count, "work_counted": True}
    return page(request, "work/list.html", context)


@require_safe
def count_my_work(request: HttpRequest) -> HttpResponse:
    """The badge."""
    count = count_of(actor_of(request).user_id, timezone.now())
    context = {"work_count": count, "full": True, "work_counted": True, "here": request.GET.get("here", "")}
    response = render(request, "_work.html", context)
    response["HX-Trigger"] = "reload-work"
    return response


@require_POST
def delegate_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Have somebody else asked instead."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.delegate"))
    perform(
        delegating.delegate_task,
        task_id,
        member_id=member_of(request),
        note=request.POST.get("note", ""),
        anyway=request.POST.get("anyway") == "1",
        actor=actor,
        operation=operation_of(request),
    )
    return changed(request, workspace_id, task_id)
