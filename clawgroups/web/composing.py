"""What a composer asks while somebody types: whom one can name, and what the message would do."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.addressing import COORDINATOR, Addressee, named, reach
from clawgroups.core.commands import KNOWN, command_of
from clawgroups.fragments import roster
from clawgroups.models import Member
from clawgroups.permissions import get_workspace
from clawgroups.queries import people_here
from clawgroups.services import hearing
from clawgroups.services.messages import MAX_MESSAGE
from clawgroups.web.http import Viewer, actor_of


@require_safe
def handles(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Everybody else here, as options to name: who is here comes first, and people before agents."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "workspace.view")
    seats = sorted(roster.seats(Q(workspace=found)), key=_nearness)
    taken = any(seat.member.handle.casefold() == COORDINATOR for seat in seats)
    seats = [seat for seat in seats if seat.member.user_id is None or seat.member.user_id != actor.user_id]
    context = {"seats": seats, "coordinator": "" if taken else COORDINATOR}
    response = render(request, "workspaces/_handles.html", context)
    response["Cache-Control"] = "private, no-store"
    return response


def _nearness(seat: roster.Seat) -> tuple[bool, bool, str]:
    return seat.presence != "online", seat.agent is not None, seat.name.casefold()


@require_POST
def wake_preview(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """What the text would do if it were sent now. Nothing is written."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "message.post")
    text = request.POST.get("body", "")[:MAX_MESSAGE]
    here = set(people_here())
    seats = Member.objects.filter(workspace=found, left_at=None)
    rows = list(seats.values_list("handle", "name", "agent_id", "user_id"))
    names = {name.casefold() for name in named(text)}
    asked = [agent for handle, _, agent, _ in rows if agent is not None and handle.casefold() in names]
    there = roster.presences(asked)
    members = [
        Addressee(handle, name, agent is not None, user in here if agent is None else there.get(agent) == "online")
        for handle, name, agent, user in rows
    ]
    context = {
        "reach": reach(text, members),
        "command": KNOWN[command.name] if (command := command_of(text)) else "",
        "is_empty": not text.strip(),
        "is_decided": not request.POST.get("task") and hearing.is_decided(found.pk, text, actor),
        "thread": request.POST.get("task", ""),
        "viewer": Viewer(actor, found.pk),
    }
    return render(request, "workspaces/_wake.html", context)
