"""Pages of templates: what one can begin with, the form of each, and an example to look around in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.actors import Actor
from clawgroups.core.errors import Invalid
from clawgroups.core.run_templates.library import EXAMPLE, TEMPLATES, template_of
from clawgroups.core.run_templates.shape import Template
from clawgroups.models import Workspace
from clawgroups.permissions import get_workspace
from clawgroups.services import installation, run_templates, workspaces
from clawgroups.services.perform import perform
from clawgroups.web.forms import blame, carry_out, take_in
from clawgroups.web.http import Viewer, actor_of, operation_of, page, see
from clawgroups.web.template_form import TemplateForm
from clawgroups.web.workspaces import id_of, workspaces_of

MOST_PLACES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where the run shall be: a workspace, or (None) a new one."""

    workspace: Workspace | None
    others: tuple[Workspace, ...]

    @property
    def pk(self) -> UUID | None:
        return self.workspace.pk if self.workspace is not None else None


def _place(request: HttpRequest, actor: Actor) -> Place:
    """The workspace that the address names (`?w=`), if one may draft runs there; and the others where one may."""
    pk = id_of(request.GET.get("w", ""))
    found = None if pk is None else get_workspace(actor, pk, "workspace.view")
    mine = [room for room in workspaces_of(actor)[: 2 * MOST_PLACES] if Viewer(actor, room.pk).can["run_draft"]]
    here = found if found is not None and Viewer(actor, found.pk).can["run_draft"] else None
    return Place(here, tuple(room for room in mine if room != here)[:MOST_PLACES])


@require_safe
def templates(request: HttpRequest) -> HttpResponse:
    """All templates, with who is there for each."""
    installation.require_on("templates", run_templates.OFF)
    actor = actor_of(request)
    place = _place(request, actor)
    standings = [run_templates.standing_of(template, place.pk) for template in TEMPLATES]
    context = {
        "place": place,
        "by_rules": [one for one in standings if not one.template.needs_writer],
        "written": [one for one in standings if one.template.needs_writer],
    }
    return page(request, "run_templates/list.html", context)


@require_safe
def template(request: HttpRequest, template_name: str) -> HttpResponse:
    """The form of a template: what it asks for, its plan, what comes out, and who has to be there."""
    actor = actor_of(request)
    found, place = template_of(template_name), _place(request, actor)
    return _form(request, found, place, TemplateForm(found, new=place.workspace is None))


def _form(request: HttpRequest, found: Template, place: Place, form: TemplateForm, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "template": found,
        "place": place,
        "form": form,
        "standing": run_templates.standing_of(found, place.pk),
        "steps": [(step, _many(found, step.each)) for step in found.steps],
    }
    return page(request, "run_templates/form.html", context, status)


def _many(found: Template, each: str) -> str:
    """The label of the input that a step is repeated for."""
    return _(found.input(each).label) if each else ""


@require_POST
def use_template(request: HttpRequest, workspace_id: UUID, template_name: str) -> HttpResponse:
    """Draft a run from a template in this workspace, and start it where that is asked for."""
    actor = actor_of(request)
    room, found = get_workspace(actor, workspace_id, "run.draft"), template_of(template_name)
    form = _taken(request, found, new=False)
    outcome = None
    if not form.errors:
        outcome = carry_out(
            form,
            run_templates.use_template,
            room.pk,
            name=found.name,
            words=form.words,
            files=form.kept,
            actor=actor,
            operation=operation_of(request),
            **_how(request),
        )
    if outcome is None:
        return _form(request, found, Place(room, ()), form, status=422)
    return see(reverse("run", args=[room.pk, outcome.answer["id"]]))


@require_POST
def open_template(request: HttpRequest, template_name: str) -> HttpResponse:
    """The same in a workspace that is opened for it, once everything is there that is asked for."""
    actor = actor_of(request)
    found = template_of(template_name)
    form = _taken(request, found, new=True)
    how = _how(request)
    name = str(request.POST.get("workspace_name") or _(found.title))
    goal = "" if form.errors else _goal(form, found, how)
    if form.errors:
        return _form(request, found, _place(request, actor), form, status=422)
    asked = operation_of(request)
    opened = carry_out(form, workspaces.create_workspace, name=name, goal=goal, actor=actor, operation=asked)
    if opened is None:
        return _form(request, found, _place(request, actor), form, status=422)
    room = UUID(str(opened.answer["id"]))
    # Sent twice, both acts answer as they did the first time.
    outcome = perform(
        run_templates.use_template,
        room,
        name=found.name,
        words=form.words,
        files=form.kept,
        actor=actor,
        operation=asked and f"{asked}:run",
        **how,
    )
    return see(reverse("run", args=[room, outcome.answer["id"]]))


@require_POST
def try_example(request: HttpRequest) -> HttpResponse:
    """Open a workspace in which the built-in agents carry a run out, to look around in."""
    actor, asked = actor_of(request), operation_of(request)
    ready = run_templates.fill_in(None, EXAMPLE.name, {}, (), sample=True, start=True)
    opened = perform(
        workspaces.create_workspace,
        name=_("Example: coffee in four cities"),
        goal=ready.filled.goal,
        rules=_("Every number names its source."),
        actor=actor,
        operation=asked,
    )
    room = UUID(str(opened.answer["id"]))
    perform(
        run_templates.use_template,
        room,
        name=EXAMPLE.name,
        words={},
        sample=True,
        start=True,
        actor=actor,
        operation=asked and f"{asked}:run",
    )
    return see(reverse("workspace", args=[room]))


def _taken(request: HttpRequest, found: Template, *, new: bool) -> TemplateForm:
    form = TemplateForm(found, request.POST, new=new)
    form.is_valid()
    if request.POST.get("sample"):
        # What is missing is in the example.
        form.errors.clear()
        return form
    take_in(request, form)
    return form


def _how(request: HttpRequest) -> dict[str, bool]:
    """By which button it was sent."""
    return {"sample": bool(request.POST.get("sample")), "start": request.POST.get("start") == "yes"}


def _goal(form: TemplateForm, found: Template, how: dict[str, bool]) -> str:
    """What the run is to reach, which the new workspace works toward; what is missing becomes an error of the form."""
    try:
        return run_templates.fill_in(None, found.name, form.words, form.kept, **how).filled.goal
    except Invalid as fault:
        blame(form, fault)
        return ""
