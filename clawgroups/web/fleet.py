"""What the fleet view leads to: an agent at its work in a workspace, and what a run asks of people."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from clawgroups.fragments import rooms
from clawgroups.fragments.views import fleet
from clawgroups.fragments.zoom import zoom_of
from clawgroups.permissions import get_member, get_workspace
from clawgroups.web.http import Viewer, actor_of, is_htmx, page, see
from clawgroups.web.plans import run_of
from clawgroups.web.workspaces import follows


@require_safe
def seat(request: HttpRequest, workspace_id: UUID, member_id: UUID) -> HttpResponse:
    """An agent at its work, as a page of its own or as the panel beside the fleet."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "workspace.view")
    # The head first: what happens while the rest is read makes the panel load once more.
    context = {"follows": follows([found]), "workspace": found, "version": found.head}
    zoom = zoom_of(member_id, workspace_id)
    if zoom is None:
        # A person is no agent that could be looked at: the list of the team says what there is to say.
        sits = get_member(actor, member_id, "workspace.view")
        return see(f"{reverse('members', args=[sits.workspace_id])}#member-{sits.pk}")
    context |= {"zoom": zoom, "viewer": Viewer(actor, workspace_id)}
    if is_htmx(request):
        return render(request, "members/_zoom.html", context)
    return page(request, "members/zoom.html", context)


@require_safe
def run_needs(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """What in a run waits for a person."""
    actor = actor_of(request)
    found = run_of(actor, workspace_id, run_id, "run.view")
    (view,) = rooms.runs_of([found.pk])
    context = {"view": view, "viewer": Viewer(actor, workspace_id), **fleet.needs(view)}
    return render(request, "runs/views/_needs.html", context)
