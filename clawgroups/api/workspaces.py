"""Workspaces, their members and journal."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from clawgroups import journal
from clawgroups.api import schemas, shown
from clawgroups.api.access import actor_of, seats_of
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, Verb, write
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.models import Member, Workspace
from clawgroups.permissions import get_member, get_workspace, may_see_event, require, seat_of
from clawgroups.services import closing, members, muting, ownership, workspaces

router = Router(tags=["workspaces"])


@router.get("/workspaces")
def list_workspaces(request: HttpRequest, paged: Paging) -> Answer:
    """The workspaces where you are a member, newest first."""
    mine = seats_of(actor_of(request)).values("workspace_id")
    return page(Workspace.objects.filter(pk__in=mine), paged, shown.workspace)


@router.post("/workspaces", response={201: dict[str, Any]})
def create_workspace(request: HttpRequest, response: HttpResponse, body: schemas.WorkspaceIn) -> Answer:
    """Open a workspace; you become its owner."""
    return write(request, response, workspaces.create_workspace, **body.model_dump())


@router.get("/workspaces/{uuid:workspace_id}")
def get_workspace_(request: HttpRequest, workspace_id: UUID) -> Answer:
    """One workspace, with its members."""
    row = get_workspace(actor_of(request), workspace_id, "workspace.view")
    seats = Member.objects.filter(workspace=row, left_at=None)
    return {**shown.workspace(row), "members": [shown.member(seat) for seat in seats]}


@router.patch("/workspaces/{uuid:workspace_id}")
def change_workspace(
    request: HttpRequest, response: HttpResponse, workspace_id: UUID, body: schemas.WorkspacePatch
) -> Answer:
    """Replace its name, goal, standing rules, or its own deadlines (`timers`: seconds by name).

    A deadline that `timers` does not name, or names with null, has its default.
    """
    verbs: dict[str, tuple[str, Verb]] = {
        "name": ("workspace.rename", workspaces.rename_workspace),
        "goal": ("workspace.set_goal", workspaces.set_goal),
        "rules": ("workspace.set_rules", workspaces.set_rules),
        "timers": ("workspace.set_timers", workspaces.set_timers),
    }
    given = {name: value for name, value in body.model_dump().items() if value is not None}
    if not given:
        raise Invalid("Send a name, a goal, rules or timers.", field="body")
    # All rights first, so that nothing is half done.
    for name in given:
        require(actor_of(request), verbs[name][0], workspace_id)
    answer: Answer = {}
    for name, value in given.items():
        answer |= write(request, response, verbs[name][1], workspace_id, part=name, **{name: value})
    return answer


# Members


@router.get("/workspaces/{uuid:workspace_id}/members")
def list_members(request: HttpRequest, workspace_id: UUID, paged: Paging) -> Answer:
    """Who is in it."""
    get_workspace(actor_of(request), workspace_id, "workspace.view")
    return page(Member.objects.filter(workspace_id=workspace_id, left_at=None), paged, shown.member, order="id")


@router.post("/workspaces/{uuid:workspace_id}/members", response={201: dict[str, Any]})
def add_member(request: HttpRequest, response: HttpResponse, workspace_id: UUID, body: schemas.MemberIn) -> Answer:
    """Give an agent or a person a seat."""
    if (body.agent is None) == (body.user is None):
        raise Invalid("Send either an agent or a user.", field="agent")
    if body.agent is not None:
        return write(request, response, members.add_agent, workspace_id, agent_id=body.agent)
    name = _user_name(body.user)
    return write(request, response, members.add_person, workspace_id, username=name, role=body.role)


def _user_name(given: str | int | None) -> str:
    if isinstance(given, int):
        # Unknown numbers and names are refused alike, by the verb.
        return User.objects.filter(pk=given).values_list("username", flat=True).first() or str(given)
    return given or ""


@router.patch("/workspaces/{uuid:workspace_id}/members/me")
def set_own_profile(
    request: HttpRequest, response: HttpResponse, workspace_id: UUID, body: schemas.OwnProfileIn
) -> Answer:
    """Say what you may be asked for: skills with levels, hours, how many tasks at once."""
    said = body.model_dump(exclude_unset=True, by_alias=True)
    if "hours" in said and said["hours"] is None:
        said["hours"] = {}
    return write(request, response, members.set_profile, workspace_id, **said)


@router.patch("/workspaces/{uuid:workspace_id}/members/{uuid:member_id}")
def set_member_role(
    request: HttpRequest, response: HttpResponse, workspace_id: UUID, member_id: UUID, body: schemas.RoleIn
) -> Answer:
    """Change a person's role."""
    _member(request, workspace_id, member_id)
    return write(request, response, members.set_role, member_id, role=body.role)


@router.delete("/workspaces/{uuid:workspace_id}/members/{uuid:member_id}")
def remove_member(request: HttpRequest, response: HttpResponse, workspace_id: UUID, member_id: UUID) -> Answer:
    """Take a seat away, or leave."""
    _member(request, workspace_id, member_id)
    return write(request, response, members.remove_member, member_id)


@router.post("/workspaces/{uuid:workspace_id}/members/{uuid:member_id}/mute")
def mute_member(request: HttpRequest, response: HttpResponse, workspace_id: UUID, member_id: UUID) -> Answer:
    """Have a person or an agent write no messages; all else that its role allows it goes on doing."""
    _member(request, workspace_id, member_id)
    return write(request, response, muting.mute_member, member_id)


@router.post("/workspaces/{uuid:workspace_id}/members/{uuid:member_id}/unmute")
def unmute_member(request: HttpRequest, response: HttpResponse, workspace_id: UUID, member_id: UUID) -> Answer:
    """Let a member that was muted write again."""
    _member(request, workspace_id, member_id)
    return write(request, response, muting.unmute_member, member_id)


@router.post("/workspaces/{uuid:workspace_id}/close")
def close_workspace(request: HttpRequest, response: HttpResponse, workspace_id: UUID) -> Answer:
    """Close it: what runs is cancelled, and it is read from then on; what else is tried is answered 409
    `workspace_closed`."""
    return write(request, response, closing.close_workspace, workspace_id)


@router.post("/workspaces/{uuid:workspace_id}/reopen")
def reopen_workspace(request: HttpRequest, response: HttpResponse, workspace_id: UUID) -> Answer:
    """Open a closed workspace again; what was cancelled stays so."""
    return write(request, response, closing.reopen_workspace, workspace_id)


@router.post("/workspaces/{uuid:workspace_id}/transfer")
def transfer_workspace(
    request: HttpRequest, response: HttpResponse, workspace_id: UUID, body: schemas.TransferIn
) -> Answer:
    """Make another member the owner; you stay as an admin. `confirm` is the workspace's name."""
    return write(
        request, response, ownership.transfer_workspace, workspace_id, member_id=body.member, confirm=body.confirm
    )


def _member(request: HttpRequest, workspace_id: UUID, member_id: UUID) -> None:
    if get_member(actor_of(request), member_id, "workspace.view").workspace_id != workspace_id:
        raise NotFound("There is no such member.")


# Journal


class JournalQuery(Schema):
    """From where, how much, and of which generation (default: the present one)."""

    after: int = Field(0, ge=0, lt=2**63)
    limit: int = Field(500, ge=1, le=1000)
    generation: int | None = Field(None, ge=0, lt=2**31)


@router.get("/workspaces/{uuid:workspace_id}/journal", tags=["journal"])
def read_journal(request: HttpRequest, workspace_id: UUID, query: Query[JournalQuery]) -> Answer:
    """Entries after `after`, in order. Another generation than the present is a conflict: begin anew."""
    actor = actor_of(request)
    get_workspace(actor, workspace_id, "journal.view")
    head = journal.head_of(workspace_id)
    if query.generation is not None and query.generation != head.generation:
        raise Conflict(
            "The journal began another generation; take a snapshot and follow from there.",
            code="other_generation",
            generation=head.generation,
            head=head.seq,
        )
    seat = seat_of(actor, workspace_id)
    found = journal.entries_after(workspace_id, head.generation, query.after, query.limit)
    seen = [journal.entry_as_json(e) for e in found if may_see_event(seat.role if seat else "guest", e.type)]
    # Where to go on: what a guest is not shown is passed over.
    return {
        "generation": head.generation,
        "head": max(head.seq, found[-1].seq if found else 0),
        "seq": found[-1].seq if found else query.after,
        "entries": seen,
    }


@router.get("/workspaces/{uuid:workspace_id}/snapshot", tags=["journal"])
def read_snapshot(request: HttpRequest, workspace_id: UUID) -> Answer:
    """The state at exactly one entry, as the journal socket sends it."""
    actor = actor_of(request)
    get_workspace(actor, workspace_id, "journal.view")
    seat = seat_of(actor, workspace_id)
    return journal.snapshot(workspace_id, approvals=seat is not None and seat.role != "guest").as_json()
