"""The short link of a line: a page for people and phones, without signing in.

It tells the agent's name and the line, to whoever has the code, and nothing else; looking at it uses nothing up.
Whoever guesses codes is stopped: 80 bits are not guessed, but asking for them costs us.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agents import tokens
from agents.connector.launchers import launcher
from agents.models import Agent, Enrolment
from clawgroups.core.errors import NotFound
from clawgroups.permissions import get_agent
from clawgroups.services import enrolling
from clawgroups.services.guessing import asker, guesses
from clawgroups.web.http import actor_of, page, see
from clawgroups.web.lines import Line


@never_cache
@require_safe
def join(request: HttpRequest, code: str) -> HttpResponse:
    """The agent's name and the line, or what became of it."""
    try:
        found = _found(request, code)
    except NotFound:
        return _page(request, {"state": "unknown"}, 404)
    owned = _owned(request, found.agent)
    if found.used_at is not None:
        return _page(request, {"state": "used", "owned": owned}, 410)
    if found.expires_at <= timezone.now():
        return _page(request, {"state": "over", "owned": owned}, 410)
    context = {
        "state": "open",
        "name": found.agent.name,
        "line": Line(tokens.read_code(code)),
        "until": found.expires_at,
        "program": launcher(found.launcher),
        "owned": owned,
    }
    return _page(request, context, 200)


@never_cache
@require_safe
def join_dial(request: HttpRequest, code: str) -> HttpResponse:
    """For its owner: where to say at which address the agent itself can be dialled, instead of running the line."""
    actor = actor_of(request)
    found = get_agent(actor, _found(request, code).agent_id)
    return see(reverse("dial", args=[found.pk]))


def _page(request: HttpRequest, context: dict[str, object], status: int) -> HttpResponse:
    response = page(request, "agents/join.html", context, status)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _found(request: HttpRequest, code: str) -> Enrolment:
    """What the code means. Raises `NotFound`, and `TooOften` for whoever kept bringing unknown ones."""
    with guesses.counted(asker(request.META)):
        return enrolling.find(code)


def _owned(request: HttpRequest, agent: Agent) -> Agent | None:
    """The agent, for whoever may make it a new line."""
    if not request.user.is_authenticated:
        return None
    try:
        return get_agent(actor_of(request), agent.pk)
    except NotFound:
        return None
