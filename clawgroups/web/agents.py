"""Pages of agents: the list, registration, profile, keys; what is done to one on its own page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent, AgentKey, Skill
from clawgroups.core.actors import Actor
from clawgroups.core.breaker import Breaker
from clawgroups.core.errors import NotFound
from clawgroups.fragments import roster
from clawgroups.permissions import get_agent
from clawgroups.queries import unconfirmed_stops
from clawgroups.services import agents, breakers
from clawgroups.services.perform import perform
from clawgroups.web.agent_page import seats_of, show
from clawgroups.web.forms import AgentForm, KeyForm, SkillRow, carry_out
from clawgroups.web.http import actor_of, done, operation_of, page, see
from clawgroups.web.lines import make_line
from clawgroups.web.workspaces import workspaces_of


@dataclass(frozen=True, slots=True)
class AgentCard:
    """An agent in the list."""

    agent: Agent
    presence: str
    mine: bool
    ignores_stop: bool = False

    @property
    def breaker(self) -> Breaker:
        """Whether it gets work."""
        return breakers.breaker_of(self.agent)


@require_safe
def agent_list(request: HttpRequest) -> HttpResponse:
    """Own agents, and those of the viewer's workspaces."""
    actor = actor_of(request)
    shared = Q(seats__left_at=None, seats__workspace__members__in=seats_of(actor))
    found = Agent.objects.filter(Q(owner=actor.user_id) | shared).distinct().prefetch_related("skills").order_by("name")
    present = roster.presences(a.pk for a in found)
    ignoring = {agent_id for agent_id, _, _ in unconfirmed_stops([a.pk for a in found])}
    listed = [
        AgentCard(a, present[a.pk], a.owner_id == actor.user_id or actor.is_staff, a.pk in ignoring) for a in found
    ]
    mine = [c for c in listed if c.agent.owner_id == actor.user_id]
    context = {
        "mine": mine,
        "first": all(c.agent.is_builtin for c in mine),
        "others": [c for c in listed if c.agent.owner_id != actor.user_id],
        "nav": "agents",
    }
    return page(request, "agents/list.html", context)


def _form(actor: Actor, data: Any = None, **kwargs: Any) -> AgentForm:
    choices = [(str(w.pk), w.name) for w in workspaces_of(actor)]
    return AgentForm(data, workspaces=choices, known_skills=_known_skills(), **kwargs)


def _known_skills() -> list[str]:
    return list(Skill.objects.order_by("name").values_list("name", flat=True).distinct()[:100])


def rows_of(skills: Iterable[Mapping[str, Any]]) -> list[SkillRow]:
    """Skills as lines of the form."""
    return [
        SkillRow(
            name=skill["name"],
            description=skill["description"],
            level=skill["level"],
            title=skill["title"],
            tags=", ".join(skill["tags"]),
            examples="\n".join(skill["examples"]),
        )
        for skill in skills
    ]


def new_page(
    request: HttpRequest,
    more: Mapping[str, Any],
    *,
    form: AgentForm | None = None,
    initial: Mapping[str, Any] | None = None,
    skills: Iterable[Mapping[str, Any]] = (),
    status: int = 200,
) -> HttpResponse:
    """The page of registration, with this form or one that begins with `initial` and `skills`."""
    shown = form or _form(actor_of(request), initial=initial or {"max_sessions": 1}, rows=rows_of(skills))
    return page(request, "agents/new.html", {"form": shown, "nav": "agents", **more}, status)


@require_safe
def new_agent(request: HttpRequest) -> HttpResponse:
    """The form of registration."""
    return new_page(request, {}, initial={"workspace": request.GET.get("workspace", ""), "max_sessions": 1})


@never_cache
@require_POST
def register_agent(request: HttpRequest) -> HttpResponse:
    """Register an agent, and go on to the page with the line that connects it."""
    actor = actor_of(request)
    form = _form(actor, request.POST)
    outcome = None
    if form.is_valid():
        joins = form.cleaned_data["workspace"]
        outcome = carry_out(
            form,
            agents.register_agent,
            handle=form.cleaned_data["handle"],
            workspace_id=UUID(joins) if joins else None,
            actor=actor,
            operation=operation_of(request),
            **form.profile(),
        )
    if outcome is None:
        return new_page(request, {}, form=form, status=422)
    agent_id = UUID(outcome.answer["id"])
    # Sent twice, it answers with the first agent, which has its line.
    if not outcome.repeated:
        make_line(request, agent_id, actor)
    return see(reverse("connect-agent", args=[agent_id]))


def profile_of(found: Agent) -> dict[str, Any]:
    """A profile as the form begins with it; its `skills` apart."""
    columns = ("name", "description", "version", "model", "device", "cwd", "max_sessions")
    skills = found.skills.values("name", "title", "description", "level", "tags", "examples")
    return {
        **{column: getattr(found, column) for column in columns},
        "toolkits": ", ".join(found.toolkits),
        "skills": list(skills),
    }


def edit_page(
    request: HttpRequest,
    found: Agent,
    more: Mapping[str, Any],
    *,
    form: AgentForm | None = None,
    initial: Mapping[str, Any] | None = None,
    skills: Iterable[Mapping[str, Any]] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of the profile, with this form, or one that begins with `initial` and `skills`, or with what is."""
    now = profile_of(found)
    rows = rows_of(now["skills"] if skills is None else skills)
    shown = form or AgentForm(rows=rows, initial=initial or now, known_skills=_known_skills())
    return page(request, "agents/edit.html", {"form": shown, "agent": found, "nav": "agents", **more}, status)


@require_safe
def edit_agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The form of the profile."""
    return edit_page(request, get_agent(actor_of(request), agent_id), {})


@require_POST
def set_profile(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Save the profile."""
    actor = actor_of(request)
    found = get_agent(actor, agent_id)
    form = AgentForm(request.POST, known_skills=_known_skills())
    outcome = None
    if form.is_valid():
        outcome = carry_out(
            form, agents.set_profile, agent_id, actor=actor, operation=operation_of(request), **form.profile()
        )
    if outcome is None:
        return edit_page(request, found, {}, form=form, status=422)
    return done(request, reverse("agent", args=[agent_id]), (), _("The profile is saved."))


@never_cache
@require_POST
def rotate_key(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Make another key and show it, this once."""
    actor = actor_of(request)
    found = get_agent(actor, agent_id)
    key = agents.mint_key()
    form = KeyForm(request.POST)
    outcome = None
    if form.is_valid():
        days = form.cleaned_data["days"]
        outcome = carry_out(
            form, agents.add_key, agent_id, key=key, days=days, actor=actor, operation=operation_of(request)
        )
    if outcome is None:
        return show(request, found, key_form=form, status=422)
    return show(request, found, secret="" if outcome.repeated else key.secret)


@require_POST
def revoke_key(request: HttpRequest, agent_id: UUID, key_id: UUID) -> HttpResponse:
    """Make a key void."""
    actor = actor_of(request)
    get_agent(actor, agent_id)
    if not AgentKey.objects.filter(pk=key_id, agent=agent_id).exists():
        raise NotFound("There is no such key, or it is not yours.")
    perform(agents.revoke_key, key_id, actor=actor, operation=operation_of(request))
    return back(request, agent_id, _("The key is revoked."))


@require_POST
def retire_agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Withdraw the agent."""
    perform(agents.retire_agent, agent_id, actor=actor_of(request), operation=operation_of(request))
    return back(request, agent_id, _("The agent is retired."))


@require_POST
def clear_breaker(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Give the agent work again, though it kept failing."""
    perform(breakers.clear_breaker, agent_id, actor=actor_of(request), operation=operation_of(request))
    return back(request, agent_id, _("It gets work again."))


@require_POST
def reset_record(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Have the matching count a skill's record from now on only."""
    skill = request.POST.get("skill", "")
    actor = actor_of(request)
    perform(agents.reset_record, agent_id, skill=skill, actor=actor, operation=operation_of(request))
    return back(request, agent_id, _("Its record counts from now on."))


def back(request: HttpRequest, agent_id: UUID, said: str) -> HttpResponse:
    """The agent's page again, whole: keys and buttons have changed."""
    response = done(request, reverse("agent", args=[agent_id]), (), said)
    if response.status_code == 200:
        response["HX-Redirect"] = reverse("agent", args=[agent_id])
    return response
