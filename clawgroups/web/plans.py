"""The plan of a proposed run: looking at it, and every edit of it. Without script each edit is a plain form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.actors import Actor
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.plan import PlanTask
from clawgroups.fragments import pieces, rooms
from clawgroups.models import PlanEdit, Run, Task
from clawgroups.permissions import get_run
from clawgroups.services import plans
from clawgroups.services.forecasts import helpers_of
from clawgroups.services.perform import perform
from clawgroups.services.plan_changes import read_plan
from clawgroups.web.errors import toast
from clawgroups.web.http import Viewer, actor_of, done, is_htmx, operation_of, page, see
from clawgroups.web.plan_forms import PlanTaskForm, initial_of, typed_parts
from clawgroups.web.plan_page import Fit, fits_for, mark_of, plan_page
from clawgroups.web.running_plan import running_plan
from clawgroups.web.workspaces import follows
from clawgroups.wording import say

Verb = Callable[..., Future[Outcome]]


def run_of(actor: Actor, workspace_id: UUID, run_id: UUID, action: str) -> Run:
    """A run, under the address of its own workspace only."""
    run = get_run(actor, run_id, action)
    if run.workspace_id != workspace_id:
        raise NotFound("There is no such run in this workspace.")
    return run


def slot(actor: Actor, run: Run, number: str = "1") -> dict[str, Any]:
    """What the slot of a run's page shows of its plan to this viewer: the editor, or how it goes."""
    found = viewed(actor, run)
    there: Run = found["view"].run
    return {**found, "plan": plan_page(there, number) if run.state == "proposed" else running_plan(there)}


def viewed(actor: Actor, run: Run) -> dict[str, Any]:
    """A run as everybody sees it, and the one who looks."""
    (view,) = rooms.runs_of([run.pk])
    return {"view": view, "viewer": Viewer(actor, run.workspace_id)}


@require_safe
def plan(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """The slot of the plan, for a page whose plan has moved on; a plain request is led to the run."""
    actor = actor_of(request)
    run = run_of(actor, workspace_id, run_id, "run.view")
    if not is_htmx(request):
        return see(reverse("run", args=[workspace_id, run_id]))
    return render(request, "runs/_plan_slot.html", slot(actor, run, request.GET.get("page", "1")))


@require_safe
def plan_task(request: HttpRequest, workspace_id: UUID, run_id: UUID, task_id: UUID) -> HttpResponse:
    """One task of the plan: its form for those who may edit, its words for everybody else."""
    actor = actor_of(request)
    run = run_of(actor, workspace_id, run_id, "run.view")
    return _panel(request, actor, run, task_id, None)


def _panel(
    request: HttpRequest, actor: Actor, run: Run, task_id: UUID, form: PlanTaskForm | None, note: str = ""
) -> HttpResponse:
    task, others = _task_in(run, task_id)
    mark = mark_of(task)
    if not note and request.GET.get("seen", mark) != mark and not _is_own(run, actor):
        note = _("Somebody changed this task while you had it open. What you typed is still here; the rest is new.")
    context = {
        "run": run,
        "pk": task_id,
        "task": task,
        "mark": mark,
        "note": note,
        "form": form or _form(run, task, others),
        "viewer": Viewer(actor, run.workspace_id),
        "number": request.GET.get("page") or request.POST.get("page") or "1",
        "editable": run.state == "proposed",
        "parts": typed_parts(request.POST) if request.method == "POST" else [],
        "waits": [other.title for other in others if task.key in other.depends_on],
    }
    status = 422 if form is not None else 200
    if is_htmx(request):
        return render(request, "runs/_plan_task.html", context, status=status)
    return page(request, "runs/plan_task.html", {**context, "follows": follows([run.workspace])}, status)


def _is_own(run: Run, actor: Actor) -> bool:
    """Whether the last edit of the plan is this person's own."""
    last = PlanEdit.objects.filter(run=run).order_by("-version").first()
    return last is not None and last.actor.get("user") == actor.user_id


def _form(run: Run, task: PlanTask, others: list[PlanTask], data: Any = None) -> PlanTaskForm:
    fits = fits_for(task, helpers_of(run.workspace_id))
    if task.assignee and task.assignee not in {fit.handle for fit in fits}:
        fits.append(Fit(task.assignee, task.assignee))
    auto_id = f"t-{task.key}-%s"
    return PlanTaskForm(data, others=others, fits=fits, initial=initial_of(task), auto_id=auto_id)


def _task_in(run: Run, task_id: UUID) -> tuple[PlanTask, list[PlanTask]]:
    """A task of the plan by its row, and the others."""
    rows = read_plan(run)
    found = next((row.key for row in rows.tasks.values() if row.pk == task_id), None)
    if found is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    shown = rows.planned if run.state == "proposed" else rows.plan
    task = next(one for one in rows.plan if one.key == found)
    return task, [one for one in shown if one.key != found]


@require_POST
def add_task(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Another task, at the end of the plan."""
    actor = actor_of(request)
    run = run_of(actor, workspace_id, run_id, "run.edit_plan")
    form = PlanTaskForm(request.POST, others=list(read_plan(run).planned))
    form.fields["assignee"].required = False
    if not form.is_valid():
        raise Invalid(_first_error(form), field="title")
    return _edited(request, run, plans.add_task, task=form.words())


@require_POST
def edit_task(request: HttpRequest, workspace_id: UUID, run_id: UUID, task_id: UUID) -> HttpResponse:
    """What a task says, and who is proposed for it, as one edit."""
    actor = actor_of(request)
    run = run_of(actor, workspace_id, run_id, "run.edit_plan")
    task, others = _task_in(run, task_id)
    try:
        plans.check_version(run, _version(request))
    except Conflict as moved:
        return _moved_on(request, actor, run, task_id, moved)
    form = _form(run, task, others, request.POST)
    if not form.is_valid():
        return _panel(request, actor, run, task_id, form)
    edits: list[Mapping[str, Any]] = [{"op": "edit", "key": task.key, "changes": _changes(form, task)}]
    if (who := form.cleaned_data["assignee"]) != task.assignee:
        why = _("chosen by %(name)s") % {"name": actor.name}
        edits.append({"op": "propose", "key": task.key, "assignee": who, "why": why})
    try:
        return _edited(request, run, plans.edit_plan, edits=edits)
    except Conflict as moved:
        if moved.code != "plan_moved":
            raise
        return _moved_on(request, actor, run, task_id, moved)
    except Invalid as wrong:
        field = {"depends_on": "after"}.get(str(wrong.fields.get("field")), wrong.fields.get("field"))
        form.add_error(field if field in form.fields else None, say(wrong.message))
        return _panel(request, actor, run, task_id, form)


def _changes(form: PlanTaskForm, task: PlanTask) -> dict[str, Any]:
    """What differs from the task as it is."""
    before, words = task.model_dump(mode="json"), form.words()
    return {name: value for name, value in words.items() if value != before[name]}


def _moved_on(request: HttpRequest, actor: Actor, run: Run, task_id: UUID, moved: Conflict) -> HttpResponse:
    """The plan has moved on: what was typed stays in the form, beside the plan as it is now."""
    run.refresh_from_db()
    task, others = _task_in(run, task_id)
    typed = request.POST.copy()
    typed.setlist("after", [key for key in typed.getlist("after") if key in {other.key for other in others}])
    form = _form(run, task, others, typed)
    panel = _panel(request, actor, run, task_id, form, say(moved.message))
    panel.status_code = moved.status
    if is_htmx(request):
        context = {**slot(actor, run, request.POST.get("page", "1")), "oob": "merge"}
        fresh = render_to_string("runs/_plan_slot.html", context, request)
        marked = panel.content.decode().replace(" data-own", ' hx-swap-oob="merge" data-own', 1)
        panel.content = (fresh + marked + toast(request, moved.message, moved.status).content.decode()).encode()
    return panel


@require_POST
def remove_task(request: HttpRequest, workspace_id: UUID, run_id: UUID, task_id: UUID) -> HttpResponse:
    """Take a task out of the plan."""
    run = run_of(actor_of(request), workspace_id, run_id, "run.edit_plan")
    return _edited(request, run, plans.remove_task, key=_task_in(run, task_id)[0].key)


@require_POST
def split_task(request: HttpRequest, workspace_id: UUID, run_id: UUID, task_id: UUID) -> HttpResponse:
    """Cut a task into parts."""
    run = run_of(actor_of(request), workspace_id, run_id, "run.edit_plan")
    return _edited(request, run, plans.split_task, key=_task_in(run, task_id)[0].key, parts=typed_parts(request.POST))


@require_POST
def move_task(request: HttpRequest, workspace_id: UUID, run_id: UUID, task_id: UUID) -> HttpResponse:
    """Move a task up or down."""
    run = run_of(actor_of(request), workspace_id, run_id, "run.edit_plan")
    key = _task_in(run, task_id)[0].key
    return _edited(request, run, plans.move_task, key=key, by=_whole(request.POST.get("by", "")))


@require_POST
def merge_tasks(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Make the chosen tasks one."""
    run = run_of(actor_of(request), workspace_id, run_id, "run.edit_plan")
    chosen = set(request.POST.getlist("task"))
    keys = list(Task.objects.filter(run=run, pk__in=_ids(chosen)).order_by("position").values_list("key", flat=True))
    return _edited(request, run, plans.merge_tasks, keys=keys, title=request.POST.get("merged_title", "").strip())


@require_POST
def undo_edit(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Take the last edit back."""
    run = run_of(actor_of(request), workspace_id, run_id, "run.edit_plan")
    return _edited(request, run, plans.undo_edit)


@require_POST
def plan_anew(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Have another plan made, with a note."""
    run = run_of(actor_of(request), workspace_id, run_id, "run.edit_plan")
    return _edited(request, run, plans.plan_anew, note=request.POST.get("note", ""))


def _edited(request: HttpRequest, run: Run, verb: Verb, **said: Any) -> HttpResponse:
    """Carry an edit out and show the plan as it is then."""
    actor = actor_of(request)
    how = {"actor": actor, "version": _version(request), "operation": operation_of(request)}
    perform(verb, run.pk, **said, **how)
    where = reverse("run", args=[run.workspace_id, run.pk])
    if not is_htmx(request):
        number = request.POST.get("page", "1")
        return see(f"{where}?page={number}#run-plan-{run.pk}" if number != "1" else f"{where}#run-plan-{run.pk}")
    run.refresh_from_db()
    shown = render_to_string("runs/_plan_slot.html", slot(actor, run, request.POST.get("page", "1")), request)
    return done(request, where, [shown, *pieces("run_head", [run.pk])])


def _version(request: HttpRequest) -> int | None:
    """The version of the plan that the page showed."""
    said = request.POST.get("version", "")
    return _whole(said) if said else None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Invalid("This form cannot be read. Load the page again.", field="version") from None


def _ids(texts: set[str]) -> list[UUID]:
    try:
        return [UUID(text) for text in texts]
    except ValueError:
        raise Invalid("Choose tasks of this plan.", field="task") from None


def _first_error(form: PlanTaskForm) -> str:
    name, errors = next(iter(form.errors.items()))
    label = form.fields[name].label if name in form.fields else ""
    return f"{label}: {errors[0]}" if label else str(errors[0])
