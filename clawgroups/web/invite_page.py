"""What an invitation's link opens: who invites where, as what; then through sign-up or sign-in into the workspace.

Looking at it uses nothing up. Whoever has the code is told the names of the workspace and of who invites, no more.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from agents.models import Agent
from clawgroups.core.actors import Actor, Role
from clawgroups.core.errors import ClawError, Conflict, Forbidden, NotFound
from clawgroups.models import Invitation, Member
from clawgroups.permissions import ACTIONS
from clawgroups.services import invitations
from clawgroups.services.guessing import asker, guesses
from clawgroups.services.perform import perform
from clawgroups.web import invited
from clawgroups.web.http import actor_of, page, see
from clawgroups.wording import say

BRINGS_AGENTS = ACTIONS["member.add_agent"].roles


@never_cache
@require_safe
def invitation(request: HttpRequest, invite_code: str) -> HttpResponse:
    """Who invites where, or what became of it."""
    try:
        row = _found(request, invite_code)
    except NotFound as fault:
        return _ended(request, say(fault.message), 404)
    return _show(request, row, invite_code)


def _found(request: HttpRequest, code: str) -> Invitation:
    """What the code means. Raises `NotFound`, and `TooOften` for whoever kept bringing unknown ones."""
    with guesses.counted(asker(request.META)):
        return invitations.find(code)


def _show(request: HttpRequest, row: Invitation, code: str) -> HttpResponse:
    if _seat_of(request, row) is not None:
        return _page(request, {"state": "here", "row": row}, 200)
    state = invitations.standing(row, timezone.now())
    if state != "open":
        return _ended(request, invitations.ENDED[state], 410)
    context = {
        "state": state,
        "row": row,
        "code": code,
        "left": row.most_uses - row.uses,
        "agents_too": Role(row.role) in BRINGS_AGENTS,
    }
    return _page(request, context, 200)


def _seat_of(request: HttpRequest, row: Invitation) -> Member | None:
    if not request.user.is_authenticated:
        return None
    return Member.objects.filter(workspace=row.workspace_id, user=request.user.pk, left_at=None).first()


def _ended(request: HttpRequest, why: str, status: int) -> HttpResponse:
    return _page(request, {"state": "ended", "why": why}, status)


def _page(request: HttpRequest, context: dict[str, Any], status: int) -> HttpResponse:
    response = page(request, "members/invitation.html", context, status)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


@never_cache
@require_POST
def accept_invitation(request: HttpRequest, invite_code: str) -> HttpResponse:
    """Join; whoever is not signed in does that first, or makes an account, and is led on then."""
    try:
        row = _found(request, invite_code)
    except NotFound as fault:
        return _ended(request, say(fault.message), 404)
    with_agent = request.POST.get("with") == "agent" and Role(row.role) in BRINGS_AGENTS
    if request.user.is_authenticated:
        return _joined(request, row.digest, with_agent)
    if invitations.standing(row, timezone.now()) != "open":
        return _show(request, row, invite_code)
    invited.keep(request, row, with_agent=with_agent)
    door = "account_login" if request.POST.get("account") == "sign-in" else "account_signup"
    return see(f"{reverse(door)}?{urlencode({'next': reverse('enter-invited')})}")


@never_cache
@require_GET
def enter_invited(request: HttpRequest) -> HttpResponse:
    """Back from signing in or up: join as it was said before."""
    actor_of(request)
    found = invited.kept(request)
    if found is None:
        return see(reverse("workspaces"))
    invited.forget(request)
    return _joined(request, found.digest, found.with_agent)


def _joined(request: HttpRequest, digest: str, with_agent: bool) -> HttpResponse:
    actor = actor_of(request)
    try:
        said = perform(invitations.join, digest, actor=actor).answer
        workspace_id = UUID(str(said["workspace"]))
    except (Conflict, Forbidden, NotFound) as fault:
        if fault.code != "already_here":
            return _ended(request, say(fault.message), _status(fault))
        return see(_onward(actor, UUID(str(fault.fields["workspace"])), with_agent))
    invited.forget(request)
    messages.success(request, _("Welcome! You are in."))
    return see(_onward(actor, workspace_id, with_agent))


def _status(fault: ClawError) -> int:
    return 410 if isinstance(fault, Conflict) else fault.status


def _onward(actor: Actor, workspace_id: UUID, with_agent: bool) -> str:
    """Into the workspace; with an agent, to where one of theirs is added or a first one is connected."""
    if not with_agent:
        return reverse("workspace", args=[workspace_id])
    if Agent.objects.filter(owner=actor.user_id, retired_at=None, is_builtin=False).exists():
        return reverse("members", args=[workspace_id]) + "#add-agent"
    return f"{reverse('new-agent')}?workspace={workspace_id}"
