"""What an agent's owner asks of it: sign in, sign out, say which sessions it has; and what new sessions begin with."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clawgroups.services import agent_requests, session_options
from clawgroups.services.perform import perform
from clawgroups.web.agents import back
from clawgroups.web.http import actor_of, operation_of

OPTION = "option-"  # before the id of an option


@require_POST
def sign_in(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Have the agent sign in on its own machine."""
    method = str(request.POST.get("method", ""))
    actor, operation = actor_of(request), operation_of(request)
    perform(agent_requests.sign_in, agent_id, method=method, actor=actor, operation=operation)
    return back(request, agent_id, _("It was asked to sign in; look at its machine."))


@require_POST
def sign_out(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Have the agent forget its login."""
    perform(agent_requests.sign_out, agent_id, actor=actor_of(request), operation=operation_of(request))
    return back(request, agent_id, _("It was asked to sign out."))


@require_POST
def list_sessions(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Ask which sessions the agent has stored on its machine."""
    perform(agent_requests.list_sessions, agent_id, actor=actor_of(request), operation=operation_of(request))
    return back(request, agent_id, _("It was asked for its sessions."))


@require_POST
def set_preferences(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """What is set in each new session."""
    values = {key.removeprefix(OPTION): str(value) for key, value in request.POST.items() if key.startswith(OPTION)}
    actor, operation = actor_of(request), operation_of(request)
    perform(session_options.set_preferences, agent_id, values=values, actor=actor, operation=operation)
    return back(request, agent_id, _("New sessions begin so from now on."))
