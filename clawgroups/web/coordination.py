"""How the coordinator works in a workspace: shown to everybody, set by admins."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.forms.boundfield import BoundField
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.coordination import MODES, Coordination, read_coordination
from clawgroups.core.coordination_settings import LIMITED, MODE_NAMES, version_of
from clawgroups.fragments import model_use
from clawgroups.models import Workspace
from clawgroups.permissions import get_workspace
from clawgroups.services import coordination as verbs
from clawgroups.web.forms import carry_out
from clawgroups.web.http import Viewer, actor_of, done, operation_of, page
from clawgroups.web.limits import limit_fields, limits_said, limits_typed
from clawgroups.web.undo import offered

KINDS = {
    "plan": (gettext_lazy("Planning"), gettext_lazy("Once for each run.")),
    "replan": (gettext_lazy("Changing a plan"), gettext_lazy("When a running plan no longer fits.")),
    "anew": (gettext_lazy("Writing a task anew"), gettext_lazy("After its last try.")),
    "match": (gettext_lazy("Choosing a member"), gettext_lazy("For each task, so it had better be quick.")),
    "hear": (
        gettext_lazy("A message that names nobody"),
        gettext_lazy("People wait for it, so it had better be quick."),
    ),
    "judge": (gettext_lazy("Judging a result"), gettext_lazy("By acceptance lines that are plain text.")),
}
MODE_WORDS = {
    "thinking": gettext_lazy("thinking"),
    "preserve-thinking": gettext_lazy("thinking, and keeping its thoughts"),
    "instant": gettext_lazy("instant"),
}


class CoordinationForm(forms.Form):
    """All that a workspace may say about its coordinator."""

    use_model = forms.TypedChoiceField(
        label=gettext_lazy("Who plans"),
        coerce=lambda value: value == "yes",
        choices=[
            ("yes", gettext_lazy("The model, where one is well; else the built-in coordinator")),
            ("no", gettext_lazy("Only the built-in coordinator: nothing from here is sent to a model")),
        ],
        widget=forms.RadioSelect,
    )
    start_at_once = forms.TypedChoiceField(
        label=gettext_lazy("When a plan stands"),
        coerce=lambda value: value == "yes",
        choices=[
            ("no", gettext_lazy("Ask first: somebody checks it and starts it")),
            ("yes", gettext_lazy("Start at once")),
        ],
        widget=forms.RadioSelect,
    )
    judge = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Who judges a result"),
        help_text=gettext_lazy("Checks always come first. This is about acceptance lines that somebody has to read."),
        choices=[
            ("model", gettext_lazy("The coordinator's model; a person where it is not sure, or there is none")),
            ("agent", gettext_lazy("Another agent with the skill review, that did none of the work; else a person")),
            ("person", gettext_lazy("Always a person")),
        ],
        widget=forms.RadioSelect,
    )
    judge_same_owner = forms.TypedChoiceField(
        required=False,
        label=gettext_lazy("Which agents may judge"),
        help_text=gettext_lazy("Where another agent judges. Never one that had a hand in the work."),
        coerce=lambda value: value == "yes",
        choices=[
            ("no", gettext_lazy("Only agents of another owner than the worker")),
            ("yes", gettext_lazy("Also agents of the same owner")),
        ],
        widget=forms.RadioSelect,
    )
    hears = forms.TypedChoiceField(
        required=False,
        label=gettext_lazy("A message that names nobody"),
        coerce=lambda value: value != "no",
        choices=[
            ("yes", gettext_lazy("The model decides: nobody, some agents, a plan to look at, or a short answer")),
            ("no", gettext_lazy("Wakes nobody")),
        ],
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind, (label, does) in KINDS.items():
            usual = _("usual (%(mode)s)") % {"mode": MODE_WORDS[MODES[kind]]}
            self.fields[f"mode_{kind}"] = forms.ChoiceField(
                required=False,
                label=label,
                help_text=does,
                choices=[("", usual), *((name, MODE_WORDS[name]) for name in MODE_NAMES)],
            )
        self.fields |= {**limit_fields("run"), **limit_fields("month", LIMITED["month"])}

    def _named(self, part: str) -> list[BoundField]:
        return [self[name] for name in self.fields if name.startswith(f"{part}_")]

    @property
    def modes(self) -> list[BoundField]:
        return self._named("mode")

    @property
    def run_limits(self) -> list[BoundField]:
        return self._named("run")

    @property
    def month_limits(self) -> list[BoundField]:
        return self._named("month")

    @property
    def said(self) -> dict[str, Any]:
        """What the verb takes."""
        typed = self.cleaned_data
        return {
            "use_model": typed["use_model"],
            "start_at_once": typed["start_at_once"],
            "judge": typed["judge"] or "model",
            "judge_same_owner": typed["judge_same_owner"] is True,
            "hears": typed["hears"] is not False,
            "modes": {kind: typed[f"mode_{kind}"] for kind in KINDS},
            "run": limits_said(typed, "run"),
            "month": limits_said(typed, "month"),
        }


def _typed(said: Coordination) -> dict[str, Any]:
    return {
        "use_model": "yes" if said.use_model else "no",
        "start_at_once": "yes" if said.start_at_once else "no",
        "judge": said.judge,
        "judge_same_owner": "yes" if said.judge_same_owner else "no",
        "hears": "yes" if said.hears else "no",
        **{f"mode_{kind}": said.mode(kind) for kind in KINDS},
        **limits_typed(said.run, "run"),
        **limits_typed(said.month, "month"),
    }


@require_safe
def coordination(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """The settings, who plans now, and what was used this month."""
    found = get_workspace(actor_of(request), workspace_id, "workspace.view")
    return _show(request, found, CoordinationForm(initial=_typed(read_coordination(found.coordination))))


def _show(request: HttpRequest, found: Workspace, form: CoordinationForm, status: int = 200) -> HttpResponse:
    actor = actor_of(request)
    context = {
        "workspace": found,
        "form": form,
        "version": version_of(found.coordination),
        "viewer": Viewer(actor, found.pk),
        "planner": model_use.planner_here(found),
        "servers": [view for view in model_use.servers() if view.state != "off"],
        "is_staff": actor.is_staff,
        "month": model_use.month_of(found, timezone.now()),
    }
    return page(request, "workspaces/coordination.html", context, status)


@require_POST
@offered("set-coordination")
def set_coordination(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Replace the settings."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "workspace.set_coordination")
    form = CoordinationForm(request.POST)
    outcome = None
    if form.is_valid():
        outcome = carry_out(
            form,
            verbs.set_coordination,
            workspace_id,
            coordination=form.said,
            actor=actor,
            operation=operation_of(request),
            shown=request.POST.get("version"),
        )
    if outcome is None:
        return _show(request, found, form, status=422)
    return done(request, reverse("coordination", args=[workspace_id]))
