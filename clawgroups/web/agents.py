"""Pages of agents: registration, keys, presence, profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent, AgentKey, Connection, Skill
from clawgroups.core.actors import Actor
from clawgroups.core.breaker import Breaker
from clawgroups.core.errors import NotFound
from clawgroups.fragments import rooms
from clawgroups.models import Member
from clawgroups.permissions import get_agent
from clawgroups.services import agents, breakers
from clawgroups.services.perform import perform
from clawgroups.web.dials import dial_context
from clawgroups.web.forms import AgentForm, SkillRow, carry_out
from clawgroups.web.http import actor_of, done, operation_of, page
from clawgroups.web.workspaces import workspaces_of

# Agents that are known to speak ACP, with the command that starts each.
KNOWN = (
    ("Kimi CLI", "kimi acp"),
    ("OpenCode", "opencode acp"),
    ("Gemini CLI", "gemini --experimental-acp"),
    ("Claude Code", "npx -y @zed-industries/claude-code-acp"),
    ("A built-in analyst, to try it", "python -m agents.builtin analyst"),
)


@dataclass(frozen=True, slots=True)
class AgentCard:
    """An agent in the list."""

    agent: Agent
    presence: str
    mine: bool

    @property
    def breaker(self) -> Breaker:
        """Whether it gets work."""
        return breakers.breaker_of(self.agent)


@require_safe
def agent_list(request: HttpRequest) -> HttpResponse:
    """Own agents, and those of the viewer's workspaces."""
    actor = actor_of(request)
    shared = Q(seats__left_at=None, seats__workspace__members__in=_seats(actor))
    found = Agent.objects.filter(Q(owner=actor.user_id) | shared).distinct().prefetch_related("skills").order_by("name")
    present = rooms.presences(a.pk for a in found)
    listed = [AgentCard(a, present[a.pk], a.owner_id == actor.user_id or actor.is_staff) for a in found]
    context = {
        "mine": [c for c in listed if c.agent.owner_id == actor.user_id],
        "others": [c for c in listed if c.agent.owner_id != actor.user_id],
        "nav": "agents",
    }
    return page(request, "agents/list.html", context)


def _seats(actor: Actor) -> QuerySet[Member, Member]:
    return Member.objects.filter(user=actor.user_id, left_at=None)


def _form(actor: Actor, data: Any = None, **kwargs: Any) -> AgentForm:
    choices = [(str(w.pk), w.name) for w in workspaces_of(actor)]
    return AgentForm(data, workspaces=choices, known_skills=_known_skills(), **kwargs)


def _known_skills() -> list[str]:
    return list(Skill.objects.order_by("name").values_list("name", flat=True).distinct()[:100])


@require_safe
def new_agent(request: HttpRequest) -> HttpResponse:
    """The form of registration."""
    form = _form(actor_of(request), initial={"workspace": request.GET.get("workspace", ""), "max_sessions": 1})
    return page(request, "agents/new.html", {"form": form, "nav": "agents"})


@never_cache
@require_POST
def register_agent(request: HttpRequest) -> HttpResponse:
    """Register an agent and show its key, this once."""
    actor = actor_of(request)
    form = _form(actor, request.POST)
    outcome = None
    key = agents.mint_key()
    if form.is_valid():
        joins = form.cleaned_data["workspace"]
        outcome = carry_out(
            form,
            agents.register_agent,
            key=key,
            handle=form.cleaned_data["handle"],
            workspace_id=UUID(joins) if joins else None,
            actor=actor,
            operation=operation_of(request),
            **form.profile(),
        )
    if outcome is None:
        return page(request, "agents/new.html", {"form": form, "nav": "agents"}, status=422)
    # A repeated registration answers with the first agent, whose key is not this one.
    secret = "" if outcome.repeated else key.secret
    return _show(request, get_agent(actor, UUID(outcome.answer["id"])), secret)


@require_safe
def agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """One agent, for its owner."""
    return _show(request, get_agent(actor_of(request), agent_id), "")


def _show(request: HttpRequest, found: Agent, secret: str) -> HttpResponse:
    base = settings.BASE_URL
    context = {
        "agent": found,
        "nav": "agents",
        "secret": secret,
        "commands": [(name, agents.connect_command(secret, base, command)) for name, command in KNOWN],
        "keys": AgentKey.objects.filter(agent=found).order_by("-created_at"),
        "seats": Member.objects.filter(
            agent=found, left_at=None, workspace__members__in=_seats(actor_of(request))
        ).select_related("workspace"),
        **_presence(found),
        **dial_context(found, actor_of(request)),
    }
    return page(request, "agents/detail.html", context)


def _presence(found: Agent) -> dict[str, Any]:
    said = found.announced if isinstance(found.announced, dict) else {}
    names = {
        "load": _("loads sessions"),
        "resume": _("resumes sessions"),
        "image": _("images"),
        "audio": _("audio"),
        "embedded": _("embedded files"),
        "mcp_http": _("MCP over HTTP"),
    }
    return {
        "agent": found,
        "breaker": breakers.breaker_of(found),
        "presence": rooms.presences([found.pk]).get(found.pk, "never"),
        "link": Connection.objects.filter(agent=found).order_by("-epoch").first(),
        "software": {
            "name": said.get("title") or said.get("name") or "",
            "version": said.get("version", ""),
            "protocol": said.get("protocol", 1),
            "login": (said.get("needs_login") or {}).get("message", "") if "needs_login" in said else None,
        },
        "capabilities": [(word, bool(said.get(key))) for key, word in names.items()],
    }


@require_safe
def agent_presence(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Presence and announced capabilities, asked for every two seconds."""
    return render(request, "agents/_presence.html", _presence(get_agent(actor_of(request), agent_id)))


@require_safe
def edit_agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The form of the profile."""
    found = get_agent(actor_of(request), agent_id)
    rows = [SkillRow(s.name, s.description, s.level) for s in found.skills.all()]
    initial = {
        "name": found.name,
        "description": found.description,
        "model": found.model,
        "device": found.device,
        "cwd": found.cwd,
        "max_sessions": found.max_sessions,
        "toolkits": ", ".join(found.toolkits),
    }
    form = AgentForm(rows=rows, initial=initial, known_skills=_known_skills())
    return page(request, "agents/edit.html", {"form": form, "agent": found, "nav": "agents"})


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
        return page(request, "agents/edit.html", {"form": form, "agent": found, "nav": "agents"}, status=422)
    return done(request, reverse("agent", args=[agent_id]), (), _("The profile is saved."))


@never_cache
@require_POST
def rotate_key(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Make another key and show it, this once."""
    actor = actor_of(request)
    found = get_agent(actor, agent_id)
    key = agents.mint_key()
    outcome = perform(agents.add_key, agent_id, key=key, actor=actor, operation=operation_of(request))
    return _show(request, found, "" if outcome.repeated else key.secret)


@require_POST
def revoke_key(request: HttpRequest, agent_id: UUID, key_id: UUID) -> HttpResponse:
    """Make a key void."""
    actor = actor_of(request)
    get_agent(actor, agent_id)
    if not AgentKey.objects.filter(pk=key_id, agent=agent_id).exists():
        raise NotFound("There is no such key, or it is not yours.")
    perform(agents.revoke_key, key_id, actor=actor, operation=operation_of(request))
    return _back(request, agent_id, _("The key is revoked."))


@require_POST
def retire_agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Withdraw the agent."""
    perform(agents.retire_agent, agent_id, actor=actor_of(request), operation=operation_of(request))
    return _back(request, agent_id, _("The agent is retired."))


@require_POST
def clear_breaker(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Give the agent work again, though it kept failing."""
    perform(breakers.clear_breaker, agent_id, actor=actor_of(request), operation=operation_of(request))
    return _back(request, agent_id, _("It gets work again."))


def _back(request: HttpRequest, agent_id: UUID, said: str) -> HttpResponse:
    """The agent's page again, whole: keys and buttons have changed."""
    response = done(request, reverse("agent", args=[agent_id]), (), said)
    if response.status_code == 200:
        response["HX-Redirect"] = reverse("agent", args=[agent_id])
    return response
