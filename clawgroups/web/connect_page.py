"""How an agent is connected: which program it is, the line to copy, a light that turns green, and what to do then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.connector.launchers import LAUNCHERS, Launcher, launcher
from agents.models import Agent, Enrolment
from clawgroups.core.actors import Actor
from clawgroups.core.errors import Invalid
from clawgroups.models import Member, Workspace
from clawgroups.permissions import get_agent
from clawgroups.services import skills
from clawgroups.services.perform import perform
from clawgroups.web.agent_page import present, seats_of, started, suggestions
from clawgroups.web.http import Viewer, actor_of, done, is_htmx, operation_of, page, see
from clawgroups.web.lines import OWN, YOURS, Line, kept_line, make_line, read_choice
from clawgroups.web.workspaces import workspaces_of

MOST_ROOMS = 5


@dataclass(frozen=True, slots=True)
class Offer:
    """How an agent's last line stands; `line` where this browser had it made."""

    enrolment: Enrolment | None
    line: Line | None

    @property
    def state(self) -> str:
        """`none`, `open`, `elsewhere` (open, and made in another browser), `used` or `over`."""
        if self.enrolment is None:
            return "none"
        if self.enrolment.used_at is not None:
            return "used"
        if self.enrolment.expires_at <= timezone.now():
            return "over"
        return "elsewhere" if self.line is None else "open"

    @property
    def mark(self) -> str:
        """Another one whenever something else is to be shown of it."""
        return f"{self.enrolment.pk if self.enrolment is not None else ''}-{self.state}"

    @property
    def program(self) -> Launcher | None:
        """The known program that the line starts."""
        return launcher(self.enrolment.launcher) if self.enrolment is not None else None

    @property
    def chosen(self) -> str:
        """What of the form it was made with."""
        if self.program is not None:
            return self.program.name
        return OWN if self.line is not None and self.line.command else ""

    @property
    def command(self) -> str:
        """The command of its owner's own, as it was typed."""
        typed = self.line.command if self.line is not None else ""
        return "" if typed == YOURS else typed


def offer_of(request: HttpRequest, found: Agent) -> Offer:
    """The agent's last line."""
    latest = Enrolment.objects.filter(agent=found).select_related("key").order_by("-created_at", "-pk").first()
    return Offer(latest, None if latest is None else kept_line(request, found.pk, latest.digest))


@never_cache
@require_safe
def connect_agent(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The page."""
    actor = actor_of(request)
    context = _context(request, get_agent(actor, agent_id), actor)
    return page(request, "agents/connect.html", {**context, "nav": "agents", "known": LAUNCHERS})


@never_cache
@require_safe
def connect_live(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """What of it changes while one looks, asked for every two seconds."""
    actor = actor_of(request)
    context = _context(request, get_agent(actor, agent_id), actor)
    context["fresh"] = request.GET.get("line", "") != context["offer"].mark
    return render(request, "agents/_connect_live.html", context)


@never_cache
@require_POST
def offer_line(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Make a new line; the one before it is void."""
    actor = actor_of(request)
    found = get_agent(actor, agent_id)
    program, command = read_choice(request.POST)
    make_line(request, found.pk, actor, program=program, command=command)
    if is_htmx(request):
        return render(request, "agents/_connect_live.html", {**_context(request, found, actor), "fresh": True})
    return see(reverse("connect-agent", args=[found.pk]) + "#line")


@require_POST
def take_skills(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Take the chosen ones of the suggested skills over into the profile."""
    actor = actor_of(request)
    found = get_agent(actor, agent_id)
    wanted = set(request.POST.getlist("suggested"))
    offered = skills.suggested_for(found, program=started(found))
    chosen = [one.profile for one in offered if one.name in wanted]
    if not chosen:
        raise Invalid(_("Choose at least one of the skills, or leave the profile as it is."), field="suggested")
    perform(skills.add_skills, found.pk, skills=chosen, actor=actor, operation=operation_of(request))
    to = "connect-agent" if request.POST.get("from") == "connect" else "agent"
    said = _("Its profile has them now; tasks that ask for them come to it.")
    response = done(request, reverse(to, args=[found.pk]), (), said)
    if response.status_code == 200:
        response["HX-Redirect"] = reverse(to, args=[found.pk])
    return response


def _context(request: HttpRequest, found: Agent, actor: Actor) -> dict[str, Any]:
    now = present(found)
    return {
        **now,
        "offer": offer_of(request, found),
        "alone": urlsplit(settings.BASE_URL).hostname in {host.strip("[]") for host in settings.LOCAL_HOSTS},
        **(_next(found, actor) if now["presence"] != "never" else {}),
    }


def _next(found: Agent, actor: Actor) -> dict[str, Any]:
    """What to do once it is here."""
    seats = Member.objects.filter(agent=found, left_at=None, workspace__members__in=seats_of(actor))
    rooms = list(Workspace.objects.filter(members__in=seats).order_by("-created_at").distinct()[:MOST_ROOMS])
    latest = [] if rooms else workspaces_of(actor)[:MOST_ROOMS]
    joinable = [room for room in latest if Viewer(actor, room.pk).can["member_add_agent"]]
    return {"rooms": rooms, "joinable": joinable, **suggestions(found)}
