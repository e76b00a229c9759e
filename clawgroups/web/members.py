"""The team of a workspace: people, agents, roles."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent
from clawgroups.core.actors import Actor
from clawgroups.core.errors import Invalid, NotFound
from clawgroups.fragments import roster
from clawgroups.models import Member
from clawgroups.permissions import get_member, get_workspace
from clawgroups.services import members, ownership
from clawgroups.services.perform import perform
from clawgroups.web.forms import PersonForm, carry_out
from clawgroups.web.http import Viewer, actor_of, done, operation_of, page, sent_to
from clawgroups.web.undo import offered
from clawgroups.web.workspaces import follows


@require_safe
def member_list(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Who sits here."""
    return _show(request, workspace_id, PersonForm())


def _show(request: HttpRequest, workspace_id: UUID, form: PersonForm, status: int = 200) -> HttpResponse:
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "workspace.view")
    seats = roster.seats(Q(workspace=found), None, "agent__skills")
    context = {
        "follows": follows([found]),
        "workspace": found,
        "people": [s for s in seats if s.agent is None],
        "agents": [s for s in seats if s.agent is not None],
        "addable": _addable(actor, found.pk),
        "roles": form.fields["role"].choices,  # type: ignore[attr-defined]
        "person_form": form,
        "viewer": Viewer(actor, found.pk),
        "heirs": ownership.heirs(found.pk),
    }
    return page(request, "members/list.html", context, status)


def _addable(actor: Actor, workspace_id: UUID) -> list[Agent]:
    """Agents the viewer may bring: their own, the built-in ones, and those of workspaces they share."""
    known = Q(owner=actor.user_id) | Q(is_builtin=True)
    known |= Q(seats__left_at=None, seats__workspace__members__user_id=actor.user_id)
    here = Member.objects.filter(workspace=workspace_id, left_at=None, agent__isnull=False).values("agent")
    return list(Agent.objects.filter(known, retired_at=None).exclude(pk__in=here).distinct().order_by("name"))


def _team(request: HttpRequest, workspace_id: UUID, said: str) -> HttpResponse:
    return _led(request, reverse("members", args=[workspace_id]), said)


def _led(request: HttpRequest, to: str, said: str) -> HttpResponse:
    """To a whole page, also from htmx: a seat stands in too many places of this one."""
    messages.success(request, said)
    return sent_to(request, to)


@require_POST
def add_person(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Give a person a seat."""
    actor = actor_of(request)
    get_workspace(actor, workspace_id, "member.add")
    form = PersonForm(request.POST)
    outcome = None
    if form.is_valid():
        said = form.cleaned_data
        outcome = carry_out(
            form,
            members.add_person,
            workspace_id,
            username=said["username"],
            role=said["role"],
            actor=actor,
            operation=operation_of(request),
        )
    if outcome is None:
        return _show(request, workspace_id, form, status=422)
    return _team(request, workspace_id, _("Added."))


@require_POST
def add_agent(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Give an agent a seat."""
    try:
        agent_id = UUID(request.POST.get("agent", ""))
    except ValueError:
        raise Invalid("Choose an agent.", field="agent") from None
    perform(
        members.add_agent, workspace_id, agent_id=agent_id, actor=actor_of(request), operation=operation_of(request)
    )
    return _team(request, workspace_id, _("Added."))


def _member(actor: Actor, workspace_id: UUID, member_id: UUID) -> Member:
    found = get_member(actor, member_id, "workspace.view")
    if found.workspace_id != workspace_id:
        raise NotFound("There is no such member in this workspace.")
    return found


@require_POST
@offered("set-role")
def set_role(request: HttpRequest, workspace_id: UUID, member_id: UUID) -> HttpResponse:
    """Change a person's role."""
    actor = actor_of(request)
    _member(actor, workspace_id, member_id)
    role = request.POST.get("role", "")
    perform(members.set_role, member_id, role=role, actor=actor, operation=operation_of(request))
    return done(request, reverse("members", args=[workspace_id]))


@require_POST
def remove_member(request: HttpRequest, workspace_id: UUID, member_id: UUID) -> HttpResponse:
    """Take a seat away, or leave."""
    actor = actor_of(request)
    found = _member(actor, workspace_id, member_id)
    perform(members.remove_member, member_id, actor=actor, operation=operation_of(request))
    if found.user_id == actor.user_id:
        return _led(request, reverse("workspaces"), _("You left the workspace."))
    return _team(request, workspace_id, _("Removed."))
