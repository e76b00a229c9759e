"""The page of one agent: who it is, whether it is here, what it has done, its keys, and why it gets no work."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from agents.models import Agent, AgentKey, Connection, Enrolment
from clawgroups.core import announced, machine_policy
from clawgroups.core.actors import Actor
from clawgroups.core.announced import Difference
from clawgroups.fragments import roster
from clawgroups.fragments.agents import Work, changes_of, moves_of
from clawgroups.models import Member
from clawgroups.permissions import get_agent
from clawgroups.queries import unconfirmed_stops
from clawgroups.services import agent_requests, agents, breakers, skills
from clawgroups.web.dials import dial_context
from clawgroups.web.forms import KeyForm
from clawgroups.web.http import actor_of, page

# Agents that are known to speak ACP, with the command that starts each.
KNOWN = (
    ("Kimi CLI", "kimi acp"),
    ("OpenCode", "opencode acp"),
    ("Gemini CLI", "gemini --acp"),
    ("Claude Code", "npx -y @zed-industries/claude-code-acp"),
    ("A built-in analyst, to try it", "python -m agents.builtin analyst"),
)

# A capability: its word, what is said when it is new, and when it is gone.
CAPABILITY_WORDS = {
    "load": (_("loads sessions"), _("loads sessions now"), _("no longer loads sessions")),
    "resume": (
        _("resumes sessions"),
        _("resumes sessions now"),
        _("no longer resumes sessions"),
    ),
    "list_sessions": (
        _("lists sessions"),
        _("lists sessions now"),
        _("no longer lists sessions"),
    ),
    "close": (_("closes sessions"), _("closes sessions now"), _("no longer closes sessions")),
    "delete": (
        _("deletes sessions"),
        _("deletes sessions now"),
        _("no longer deletes sessions"),
    ),
    "fork": (_("forks sessions"), _("forks sessions now"), _("no longer forks sessions")),
    "image": (_("images"), _("images now"), _("no images any more")),
    "audio": (_("audio"), _("audio now"), _("no audio any more")),
    "embedded": (
        _("embedded files"),
        _("embedded files now"),
        _("no embedded files any more"),
    ),
    "mcp_http": (
        _("MCP over HTTP"),
        _("MCP over HTTP now"),
        _("no MCP over HTTP any more"),
    ),
    "mcp_sse": (
        _("MCP over SSE"),
        _("MCP over SSE now"),
        _("no MCP over SSE any more"),
    ),
    "logout": (_("signs out"), _("signs out now"), _("no longer signs out")),
}
FACT_WORDS = {
    "title": _("called"),
    "name": _("program"),
    "version": _("version"),
    "protocol": _("ACP"),
    "connector": _("connector"),
    "logins": _("ways to sign in:"),
    "skills": _("its skills:"),
}


def seats_of(actor: Actor) -> QuerySet[Member, Member]:
    """Where this person has a seat."""
    return Member.objects.filter(user=actor.user_id, left_at=None)


@require_safe
def agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """One agent, for its owner."""
    return show(request, get_agent(actor_of(request), agent_id))


@require_safe
def agent_presence(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Presence, standing and announced capabilities, asked for every two seconds."""
    return render(request, "agents/_live.html", present(get_agent(actor_of(request), agent_id)))


def show(
    request: HttpRequest, found: Agent, *, secret: str = "", key_form: KeyForm | None = None, status: int = 200
) -> HttpResponse:
    """The page; with the secret of a key that was just made, which it shows this once."""
    base, mine = settings.BASE_URL, seats_of(actor_of(request))
    seats = Member.objects.filter(agent=found, left_at=None, workspace__members__in=mine)
    context = {
        "nav": "agents",
        "secret": secret,
        "commands": [(name, agents.connect_command(secret, base, command)) for name, command in KNOWN],
        "keys": AgentKey.objects.filter(agent=found).order_by("-created_at"),
        "key_form": key_form or KeyForm(),
        "now": timezone.now(),
        "seats": seats.select_related("workspace"),
        "work": Work(found, mine),
        "changes": [(one.at, [said(d) for d in one.differences]) for one in changes_of(found)],
        "moves": moves_of(found),
        "listed": agent_requests.latest(found.pk, "list", "answered"),
        **suggestions(found),
        **present(found),
        **dial_context(found, actor_of(request)),
    }
    return page(request, "agents/detail.html", context, status)


def present(found: Agent) -> dict[str, Any]:
    """What may change while somebody looks."""
    told = found.announced if isinstance(found.announced, dict) else {}
    login = told.get("needs_login")
    # Looked up before its line: whoever is seen to be here has one by then.
    presence = roster.presences([found.pk]).get(found.pk, "never")
    link = Connection.objects.filter(agent=found).order_by("-epoch").first()
    return {
        "agent": found,
        "breaker": breakers.breaker_of(found),
        "ignores_stop": next((at for _agent, _room, at in unconfirmed_stops([found.pk])), None),
        "presence": presence,
        "link": link,
        "software": {
            "name": announced.fact(told, "title") or announced.fact(told, "name"),
            "version": announced.fact(told, "version"),
            "protocol": announced.fact(told, "protocol") or "1",
            "login": str(login.get("message", "")) if isinstance(login, dict) else None,
            "logins": announced.logins(told),
            "logout": told.get("logout") is True,
        },
        "allows": machine_policy.read(link.client) if link is not None else None,
        "signing_in": agent_requests.latest(found.pk, "authenticate"),
        "capabilities": sorted(
            ((words[0], announced.can(told, name)) for name, words in CAPABILITY_WORDS.items()),
            key=lambda one: not one[1],
        ),
    }


def suggestions(found: Agent) -> dict[str, Any]:
    """What a page with suggested skills shows."""
    return {"suggested": () if found.retired_at else skills.suggested_for(found, program=started(found))}


def started(found: Agent) -> str:
    """The name of the known program that its machine was told to start when it was let in."""
    used = Enrolment.objects.filter(agent=found, used_at__isnull=False).order_by("-used_at")
    return used.values_list("launcher", flat=True).first() or ""


def said(one: Difference) -> str:
    """A difference between two announcements in words."""
    if one.what in CAPABILITY_WORDS:
        return str(CAPABILITY_WORDS[one.what][1 if one.after else 2])
    none = gettext("none")
    words = {"what": FACT_WORDS.get(one.what, one.what), "before": one.before or none, "after": one.after or none}
    return gettext("%(what)s %(before)s → %(after)s") % words
