"""Stopping and pausing on pages: one task, a run, a workspace; and what of it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from clawgroups.core.failures import Failure
from clawgroups.fragments.stop_progress import Progress
from clawgroups.fragments.tasks import TaskNow
from clawgroups.models import Run, Task, Workspace
from clawgroups.permissions import get_workspace
from clawgroups.services import pausing, stopping, takeover
from clawgroups.services.deadlines import timers_of
from clawgroups.services.perform import perform
from clawgroups.services.stop_all import stop_each, stop_the_rest
from clawgroups.web.http import actor_of, done, operation_of, page
from clawgroups.web.plans import run_of
from clawgroups.web.task_doors import changed, epoch_of, task_of
from clawgroups.web.undo import offered
from clawgroups.web.workspaces import follows

SHOWN = 3
NAMED = 12


def shown(now: TaskNow) -> dict[str, Any]:
    """What stopping and pausing need of a task's page."""
    task = now.task
    stopped = [one for one in reversed(now.attempts) if one.pk in now.overruns]
    latest = [one for one in stopped if one.stop == "unconfirmed" or one == now.latest]
    return {
        "halted": now.latest.member
        if task.failure == Failure.HALTED and task.state == "stuck" and now.latest
        else None,
        "stopped": [(one, now.overruns[one.pk]) for one in latest[:SHOWN]],
        "stop_grace": timers_of(task.workspace).cancel_grace,
    }


@require_POST
def stop_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Stop the agent that is at it."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.stop")
    takeover.bring_in(task_id, actor=actor)
    perform(
        stopping.stop_task,
        task_id,
        reason=request.POST.get("reason", ""),
        epoch=epoch_of(request),
        actor=actor,
        operation=operation_of(request),
    )
    return changed(request, workspace_id, task_id)


@require_POST
@offered("pause-task")
def pause_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Have nothing of it go on."""
    takeover.bring_in(task_of(actor_of(request), workspace_id, task_id, "task.pause").pk, actor=actor_of(request))
    return _rest(request, workspace_id, task_id, pausing.pause_task)


@require_POST
@offered("resume-task")
def resume_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Let it go on."""
    return _rest(request, workspace_id, task_id, pausing.resume_task)


def _rest(request: HttpRequest, workspace_id: UUID, task_id: UUID, verb: Any) -> HttpResponse:
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.pause")
    perform(verb, task_id, epoch=epoch_of(request), actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


# Everything


@require_http_methods(["GET", "POST"])
def stop_run(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Ask whether everything in a run shall stop, saying whom that stops; then do it."""
    actor = actor_of(request)
    found = run_of(actor, workspace_id, run_id, "run.stop")
    to = reverse("run", args=[workspace_id, run_id])
    if request.method == "GET":
        return _question(request, found.workspace, [found], found, to)
    perform(stopping.stop_run, run_id, actor=actor, operation=operation_of(request))
    return done(request, to, (), _said(stop_the_rest(run_id, actor=actor)))


@require_http_methods(["GET", "POST"])
def stop_workspace(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Ask whether everything in a workspace shall stop, saying whom that stops; then do it."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "workspace.stop")
    to = reverse("workspace", args=[workspace_id])
    if request.method == "GET":
        return _question(request, found, list(Run.objects.filter(workspace=found, state="running")), None, to)
    operation = operation_of(request)
    named = perform(stopping.stop_workspace, workspace_id, actor=actor, operation=operation)

    def stop(run_id: UUID) -> None:
        mine = f"{operation}:{run_id}" if operation else ""
        perform(stopping.stop_run, run_id, actor=actor, operation=mine)

    return done(request, to, (), _said(stop_each(map(UUID, named.answer["runs"]), stop, actor=actor)))


def _said(progress: Progress) -> str:
    number = progress.asked
    if not number:
        return _("Everything is paused; no agent was at work.")
    return ngettext(
        "%(n)d turn is asked to stop; everything is paused.",
        "%(n)d turns are asked to stop; everything is paused.",
        number,
    ) % {"n": number}


def _question(
    request: HttpRequest, workspace: Workspace, runs: Sequence[Run], run: Run | None, back: str
) -> HttpResponse:
    at_work = Task.objects.filter(run__in=runs, state__in=["assigned", "working"], assignee__agent__isnull=False)
    names = list(at_work.order_by("assignee__name").values_list("assignee__name", flat=True))
    context = {
        "follows": follows([workspace]),
        "workspace": workspace,
        "run": run,
        "runs": len(runs),
        "turns": len(names),
        "agents": len(set(names)),
        "names": list(dict.fromkeys(names))[:NAMED],
        "more": max(len(set(names)) - NAMED, 0),
        "held": Task.objects.filter(run__in=runs, state="held").count(),
        "back": back,
    }
    return page(request, "runs/stop.html", context)
