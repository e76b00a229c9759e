"""Pages and verbs of runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.changes import Outcome
from clawgroups.fragments import pieces, rooms, run_view_mark
from clawgroups.fragments.tasks import cards_of
from clawgroups.models import Run
from clawgroups.permissions import get_workspace
from clawgroups.services import goal_questions, runs
from clawgroups.services.perform import perform
from clawgroups.web.forms import GoalForm, carry_out, take_in
from clawgroups.web.http import Viewer, actor_of, done, is_htmx, operation_of, page, paged, sent_to
from clawgroups.web.plans import run_of
from clawgroups.web.undo import offered
from clawgroups.web.workspaces import follows, show_room


@require_safe
def run_list(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """All runs of a workspace."""
    found = get_workspace(actor_of(request), workspace_id, "run.view")
    shown = paged(request, Run.objects.filter(workspace=found, kind="goal").order_by("-created_at"))
    views = rooms.runs(Q(pk__in=[r.pk for r in shown.object_list]))
    return page(
        request, "runs/list.html", {"workspace": found, "page": shown, "views": views, "follows": follows([found])}
    )


@require_safe
def run_tasks(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """All tasks of a run, in plan order, page by page; for a page of a large run those that matter most now."""
    found = run_of(actor_of(request), workspace_id, run_id, "run.view")
    followed = follows([found.workspace])
    (view,) = rooms.runs_of([found.pk])
    if is_htmx(request):
        return render(request, "runs/_foremost.html", {"view": view})
    shown = paged(request, found.tasks.order_by("position").values_list("pk", flat=True), 100)
    cards = cards_of(shown.object_list)
    return page(request, "runs/tasks.html", {"follows": followed, "view": view, "page": shown, "cards": cards})


@require_safe
def run_actions(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """The viewer's buttons on a run."""
    actor = actor_of(request)
    found = run_of(actor, workspace_id, run_id, "run.view")
    (view,) = rooms.runs_of([found.pk])
    return render(request, "runs/_actions.html", {"view": view, "viewer": Viewer(actor, workspace_id)})


@require_POST
def draft_run(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Give a goal with its files: a plan is made and proposed."""
    actor = actor_of(request)
    get_workspace(actor, workspace_id, "run.draft")
    form = GoalForm(request.POST)
    form.is_valid()
    inputs = take_in(request, form)
    outcome = None
    if not form.errors:
        outcome = carry_out(
            form,
            runs.draft_run,
            workspace_id,
            goal=form.cleaned_data["goal"],
            inputs=inputs,
            actor=actor,
            operation=operation_of(request),
        )
    if outcome is None:
        return _refused(request, workspace_id, form)
    return (
        sent_to(request, reverse("workspace", args=[workspace_id]) + "#talk")
        if not is_htmx(request)
        else _drafted(request, workspace_id, UUID(str(outcome.answer["id"])))
    )


def _refused(request: HttpRequest, workspace_id: UUID, form: GoalForm) -> HttpResponse:
    if not is_htmx(request):
        return show_room(request, workspace_id, form, status=422)
    # With script the browser still holds the files; keeping them here too would send them twice.
    form.kept = []
    found = get_workspace(actor_of(request), workspace_id, "run.draft")
    return render(request, "runs/_form.html", {"form": form, "room": rooms.Room(found)}, status=422)


def _drafted(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """The new run in the chat, the list and the side; the form starts afresh."""
    (view,) = rooms.runs_of([run_id])
    said = list(view.run.messages.values_list("pk", flat=True)[:1])
    changed = [*pieces("message", said)]
    for name in ("run_note", "run_row"):
        changed += pieces(name, [run_id])
    changed += pieces("room_current", [workspace_id])
    response = render(request, "runs/_form.html", {"form": GoalForm(), "room": rooms.Room(view.run.workspace)})
    response.content += "".join(changed).encode()
    return response


def _verb(request: HttpRequest, workspace_id: UUID, run_id: UUID, verb: Callable[..., Future[Outcome]]) -> HttpResponse:
    actor = actor_of(request)
    run_of(actor, workspace_id, run_id, "run.view")
    perform(verb, run_id, actor=actor, operation=operation_of(request))
    changed: list[str] = []
    for name in ("run_head", "run_row", "run_note", "run_plan"):
        changed += pieces(name, [run_id])
    changed.append(run_view_mark(run_id))
    return done(request, reverse("run", args=[workspace_id, run_id]), changed)


@require_POST
def start_run(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Begin a proposed run; with the `version` of its plan that was looked at, only that plan."""
    said = request.POST.get("version", "")
    version = int(said) if said.isdecimal() and len(said) < 10 else None
    return _verb(request, workspace_id, run_id, partial(runs.start_run, version=version))


@require_POST
def answer_question(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Answer what the coordinator asks about the goal."""
    return _verb(
        request, workspace_id, run_id, partial(goal_questions.answer_question, answer=request.POST.get("answer", ""))
    )


@require_POST
@offered("pause-run")
def pause_run(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Give out nothing new for now."""
    return _verb(request, workspace_id, run_id, runs.pause_run)


@require_POST
@offered("resume-run")
def resume_run(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Go on."""
    return _verb(request, workspace_id, run_id, runs.resume_run)


@require_POST
def cancel_run(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """End it."""
    return _verb(request, workspace_id, run_id, runs.cancel_run)
