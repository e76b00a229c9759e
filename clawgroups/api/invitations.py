"""Letting people in: invitations by which they join, and read-only links of runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Router, Schema

from agents import tokens
from clawgroups.api.access import actor_of
from clawgroups.api.agents import new_code
from clawgroups.api.paging import Paging, page
from clawgroups.api.shown import columns
from clawgroups.api.writing import Answer, write
from clawgroups.core.lifetimes import USUAL
from clawgroups.models import Invitation, Share
from clawgroups.permissions import get_run, require
from clawgroups.services import invitations, shares
from clawgroups.services.guessing import asker, guesses

router = Router(tags=["invitations"])


class InvitationIn(Schema):
    """`seconds`: how long it is good; `most_uses`: for how many people; `note`: for whom it is."""

    role: str = "member"
    seconds: int = USUAL
    most_uses: int = 1
    note: str = ""


class CodeIn(Schema):
    """The code of an invitation, as it stands in its link."""

    code: str


class ShareIn(Schema):
    """`seconds`: how long the link is good."""

    seconds: int = USUAL


def _link(name: str, code: str) -> str:
    return f"{settings.BASE_URL}{reverse(name, args=[code])}"


def _invitation(row: Invitation) -> dict[str, Any]:
    said = columns(row, "id", "role", "note", "most_uses", "uses", "made_at", "expires_at", "revoked_at")
    made_by = {"id": str(row.made_by.pk), "name": row.made_by.name}
    return {**said, "made_by": made_by, "state": invitations.standing(row, timezone.now())}


@router.get("/workspaces/{uuid:workspace_id}/invitations")
def list_invitations(request: HttpRequest, workspace_id: UUID, paged: Paging) -> Answer:
    """Invitations, newest first, with what became of each: open, used, over, revoked, void. Never their codes."""
    require(actor_of(request), "member.invite", workspace_id)
    rows = Invitation.objects.filter(workspace=workspace_id).select_related("made_by__user")
    return page(rows, paged, _invitation)


@router.post("/workspaces/{uuid:workspace_id}/invitations", response={201: dict[str, Any]})
def make_invitation(request: HttpRequest, response: HttpResponse, workspace_id: UUID, body: InvitationIn) -> Answer:
    """Make a link by which people join; `code` and `link` are in this answer and nowhere else."""
    code, said = new_code(request), body.model_dump()
    made = write(request, response, invitations.make_invitation, workspace_id, given=said, code=code, **said)
    return {**made, "code": code.secret, "link": _link("invitation", code.secret)}


@router.delete("/invitations/{uuid:invitation_id}")
def revoke_invitation(request: HttpRequest, response: HttpResponse, invitation_id: UUID) -> Answer:
    """Nobody joins by it any more; who has joined stays."""
    return write(request, response, invitations.revoke_invitation, invitation_id)


@router.post("/invitations/join", response={201: dict[str, Any]})
def join_workspace(request: HttpRequest, response: HttpResponse, body: CodeIn) -> Answer:
    """Join a workspace by the code of an invitation."""
    digest = tokens.digest(tokens.read_code(body.code))
    with guesses.counted(asker(request.META)):
        return write(request, response, invitations.join, digest)


def _share(row: Share) -> dict[str, Any]:
    made_by = {"id": str(row.made_by.pk), "name": row.made_by.name}
    return {**columns(row, "id", "made_at", "expires_at"), "made_by": made_by, "void": shares.is_void(row)}


@router.get("/runs/{uuid:run_id}/shares")
def list_shares(request: HttpRequest, run_id: UUID, paged: Paging) -> Answer:
    """The links by which a run is seen without an account; never their codes."""
    get_run(actor_of(request), run_id, "run.share")
    return page(shares.open_ones(run_id, timezone.now()), paged, _share)


@router.post("/runs/{uuid:run_id}/shares", response={201: dict[str, Any]})
def share_run(request: HttpRequest, response: HttpResponse, run_id: UUID, body: ShareIn) -> Answer:
    """Make a read-only link of a run; it is in this answer and nowhere else."""
    code, said = new_code(request), body.model_dump()
    made = write(request, response, shares.share_run, run_id, given=said, code=code, **said)
    return {**made, "link": _link("shared-run", code.secret)}


@router.delete("/shares/{uuid:share_id}")
def unshare_run(request: HttpRequest, response: HttpResponse, share_id: UUID) -> Answer:
    """The link shows nothing any more."""
    return write(request, response, shares.unshare_run, share_id)
