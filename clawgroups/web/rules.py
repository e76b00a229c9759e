"""The rules that answer agents: which are in force, making one, trying it on what was asked, and revoking it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent
from clawgroups.core.errors import ClawError, Forbidden, NotFound, Unauthenticated
from clawgroups.core.rule_text import LIFE, LONGEST, MOST_NEEDED, MOST_TEXTS, cautions
from clawgroups.models import Run, Workspace
from clawgroups.permissions import get_approval, get_workspace
from clawgroups.services import rule_lines, rules
from clawgroups.services.perform import perform
from clawgroups.services.ruling import suggestion
from clawgroups.web.forms import blame, carry_out
from clawgroups.web.http import Viewer, actor_of, done, is_htmx, operation_of, page
from clawgroups.web.undo import offered

ANSWERS = {
    "deny": (_("Deny"), _("Rejected at once; nobody is asked.")),
    "critical": (_("Critical"), _("Always asked, whoever has allowed it before; several people may have to agree.")),
    "allow": (_("Allow"), _("Allowed once, each time; nobody is asked.")),
    "ask": (_("Ask"), _("People are asked, as without a rule.")),
}
KINDS = {
    "read": _("read files"),
    "edit": _("change files"),
    "delete": _("delete files"),
    "move": _("move files"),
    "search": _("search"),
    "execute": _("run commands"),
    "think": _("think"),
    "fetch": _("fetch from the web"),
    "switch_mode": _("change its mode"),
    "other": _("anything else"),
}
HOLDS = {"": None, "28800": 28800.0, "86400": 86400.0, "604800": 604800.0, str(LIFE): float(LIFE)}
_MOST = MOST_TEXTS * (LONGEST + 2)


class RuleForm(forms.Form):
    """A new rule."""

    answer = forms.ChoiceField(
        label=_("What is answered"),
        choices=[(name, label) for name, (label, _does) in ANSWERS.items() if name != "ask"],
        widget=forms.RadioSelect,
        initial="deny",
    )
    kinds = forms.MultipleChoiceField(
        label=_("When the agent wants to"),
        required=False,
        choices=list(KINDS.items()),
        widget=forms.CheckboxSelectMultiple,
    )
    commands = forms.CharField(
        label=_("Commands"),
        required=False,
        max_length=_MOST,
        help_text=_("One a line, like “git status” or “pytest *”. A last star stands for any further words."),
        widget=forms.Textarea({"rows": 3, "spellcheck": "false", "autocapitalize": "off", "data-keep": ""}),
    )
    paths = forms.CharField(
        label=_("Paths"),
        required=False,
        max_length=_MOST,
        help_text=_("One a line, like “src/**” or “*.pem”; “!” in front leaves out. Relative to the work folder."),
        widget=forms.Textarea({"rows": 3, "spellcheck": "false", "autocapitalize": "off", "data-keep": ""}),
    )
    agent = forms.ChoiceField(label=_("Only of this agent"), required=False)
    run = forms.ChoiceField(label=_("Only in this run"), required=False)
    needed = forms.IntegerField(
        label=_("How many people must agree"),
        required=False,
        min_value=1,
        max_value=MOST_NEEDED,
        initial=1,
        help_text=_("Counts for what is critical. One “no” is enough to reject it."),
    )
    expires = forms.ChoiceField(
        label=_("It holds"),
        required=False,
        choices=[
            ("", _("until somebody revokes it")),
            ("28800", _("for 8 hours")),
            ("86400", _("for a day")),
            ("604800", _("for a week")),
            (str(LIFE), _("for 30 days")),
        ],
    )
    note = forms.CharField(label=_("Why"), required=False, max_length=LONGEST)
    source = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        agents = Agent.objects.filter(pk__in=_agents_of(workspace)).order_by("name")
        runs = Run.objects.filter(workspace=workspace, ended_at=None).order_by("-created_at")[:50]
        chosen = {"agent": [(str(one.pk), one.name) for one in agents]}
        chosen["run"] = [(str(one.pk), one.goal[:80]) for one in runs]
        for name, first in (("agent", _("any agent")), ("run", _("any run"))):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", first), *chosen[name]]

    @property
    def about(self) -> dict[str, Any]:
        """What a rule says, for the verb and for the dry run."""
        typed = self.cleaned_data
        return {
            "answer": typed["answer"],
            "kinds": typed["kinds"],
            "commands": typed["commands"].splitlines(),
            "paths": typed["paths"].splitlines(),
            "agent_id": UUID(typed["agent"]) if typed["agent"] else None,
            "run_id": UUID(typed["run"]) if typed["run"] else None,
            "needed": typed["needed"] or 1,
        }

    @property
    def rest(self) -> dict[str, Any]:
        """What the verb takes besides."""
        typed = self.cleaned_data
        return {"note": typed["note"], "seconds": HOLDS[typed["expires"]], "made_from": typed["source"]}


def _agents_of(workspace: Workspace) -> Any:
    return workspace.members.filter(left_at=None, agent__isnull=False).values("agent_id")


@require_safe
def answer_rules_(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """What answers agents here, and what is critical."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "rule.view")
    viewer, now = Viewer(actor, found.pk), timezone.now()
    is_admin = viewer.can["rule_set"]
    lines = rule_lines.lines_of(rule_lines.rules_of(found.pk, now), actor, is_admin=is_admin)
    past = rule_lines.lines_of(rule_lines.past_rules(found.pk, now), actor, is_admin=is_admin)
    groups = [(name, *ANSWERS[name], ours) for name, ours in rule_lines.grouped(lines).items() if ours]
    context = {"workspace": found, "viewer": viewer, "groups": groups, "past": past, "kinds": KINDS, "now": now}
    return page(request, "rules/list.html", context)


@require_safe
def new_rule(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """The form, filled in from a question where one is named (`from`)."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "rule.set")
    return _form(request, found, RuleForm(workspace=found, initial=_initial(request, found)))


def _initial(request: HttpRequest, found: Workspace) -> dict[str, Any]:
    given = request.GET.get("from", "")
    try:
        pk = UUID(given)
    except ValueError:
        return {}
    question = get_approval(actor_of(request), pk, "approval.view")
    if question.workspace_id != found.pk or question.kind != "permission":
        raise NotFound("There is no such question in this workspace.")
    said = suggestion(question)
    texts = {name: "\n".join(said[name]) for name in ("commands", "paths")}
    about = {"kinds": said["kinds"], "agent": str(question.session.agent_id), "source": question.pk}
    return {**about, **texts, "answer": "allow", "expires": str(LIFE)}


def _form(
    request: HttpRequest, found: Workspace, form: RuleForm, status: int = 200, tried: rules.DryRun | None = None
) -> HttpResponse:
    context: dict[str, Any] = {"workspace": found, "form": form, "answers": ANSWERS, "tried": tried}
    context["cautions"] = _cautions(form) if tried is not None else []
    return page(request, "rules/new.html", context, status)


def _cautions(form: RuleForm) -> list[str]:
    about = form.about
    return list(cautions({**about, "commands": [one.strip() for one in about["commands"] if one.strip()],
                          "paths": [one.strip() for one in about["paths"] if one.strip()]}))  # fmt: skip


@require_POST
def make_rule(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Make it."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "rule.set")
    form = RuleForm(request.POST, workspace=found)
    outcome = None
    if form.is_valid():
        said = {**form.about, **form.rest}
        outcome = carry_out(form, rules.make_rule, workspace_id, **said, actor=actor, operation=operation_of(request))
    if outcome is None:
        return _form(request, found, form, status=422)
    return done(request, reverse("answer-rules", args=[workspace_id]), said=str(_("The rule is in force.")))


@require_POST
def try_rule(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """What it would have answered; nothing is made of it."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "rule.view")
    form = RuleForm(request.POST, workspace=found)
    tried = None
    if form.is_valid():
        try:
            tried = rules.try_rule(workspace_id, **form.about, actor=actor)
        except (NotFound, Forbidden, Unauthenticated):
            raise
        except ClawError as fault:
            blame(form, fault)
    if not is_htmx(request):
        return _form(request, found, form, 200 if tried else 422, tried)
    context = {"form": form, "tried": tried, "cautions": _cautions(form) if tried is not None else []}
    return render(request, "rules/_tried.html", context)


@require_POST
@offered("revoke-rule")
def revoke_rule(request: HttpRequest, workspace_id: UUID, rule_id: UUID) -> HttpResponse:
    """From now on it answers nothing."""
    actor = actor_of(request)
    if rules.get_rule(actor, rule_id).workspace_id != workspace_id:
        raise NotFound("There is no such rule in this workspace.")
    perform(rules.revoke_rule, rule_id, actor=actor, operation=operation_of(request))
    return done(request, reverse("answer-rules", args=[workspace_id]))
