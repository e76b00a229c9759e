"""Links by which people join a workspace: made by admins, good for so many people until a time, revoked at once.

An invitation holds while whoever made it may invite: it is their right that is handed on. Nobody's role is changed by
one, and who left after it was made does not come back by it: a seat that was taken away stays taken away.
"""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from agents import tokens
from agents.ids import new_id
from agents.tokens import MintedKey
from clawgroups import commit
from clawgroups.core.access_events import InvitationMade, InvitationRevoked
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update
from clawgroups.core.errors import Conflict, Forbidden, Invalid, NotFound
from clawgroups.core.lifetimes import USUAL, life
from clawgroups.models import Invitation, Member
from clawgroups.permissions import ACTIONS, require, seat_of
from clawgroups.services.members import given_role, seating
from clawgroups.services.perform import insisting
from clawgroups.services.workspaces import clean_text

MOST_OPEN = 50
MOST_USES = 500
MAY_INVITE = tuple(role.value for role in ACTIONS["member.invite"].roles)
_ASK = "Ask whoever gave it to you for a new one."
# What became of an invitation, as whoever has it is told.
ENDED = {
    "revoked": f"This invitation was revoked. {_ASK}",
    "void": f"Whoever made this invitation may no longer invite. {_ASK}",
    "over": f"The time of this invitation is over. {_ASK}",
    "used": f"This invitation has been used as often as it may be. {_ASK}",
}


def make_invitation(
    workspace_id: UUID,
    *,
    code: MintedKey,
    role: str = "member",
    seconds: int = USUAL,
    most_uses: int = 1,
    note: str = "",
    actor: Actor,
    operation: str = "",
) -> Future[Outcome]:
    """Let people in by `code` (`tokens.mint_code`). Answer: {"id", "role", "most_uses", "expires_at"}.

    Raises `Invalid` with the field that is wrong, `Conflict` where too many are open.
    """
    expects = require(actor, "member.invite", workspace_id)
    chosen, holds = given_role(role), life(seconds)
    if isinstance(most_uses, bool) or not 1 <= most_uses <= MOST_USES:
        raise Invalid(f"One invitation is for 1 to {MOST_USES} people.", field="most_uses")
    now, pk, seat = timezone.now(), new_id(), seat_of(actor, workspace_id)
    until = now + holds
    if seat is None:
        raise Forbidden("Whoever invites has a seat in the workspace.")
    if open_ones(workspace_id, now).count() >= MOST_OPEN:
        raise Conflict(f"{MOST_OPEN} invitations are open already. Revoke one first.", code="too_many_invitations")
    values = {
        "workspace_id": workspace_id,
        "role": chosen.value,
        "note": clean_text(note, what="Note", limit=80),
        "digest": code.digest,
        "most_uses": most_uses,
        "made_by_id": seat.pk,
        "made_at": now,
        "expires_at": until,
    }
    made = InvitationMade(invitation_id=pk, role=chosen, most_uses=most_uses)
    answer = {
        "id": str(pk),
        "role": chosen.value,
        "most_uses": most_uses,
        "expires_at": until.isoformat(),
    }
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects,
            (Insert(Invitation._meta.label, pk, values),),
            (Fact(workspace_id, made),),
            operation,
            verb="invitation.make",
            answer=answer,
        )
    )


def open_ones(workspace_id: UUID, now: datetime) -> QuerySet[Invitation]:
    """Invitations that are neither revoked nor over."""
    return Invitation.objects.filter(workspace=workspace_id, revoked_at=None, expires_at__gt=now)


def get_invitation(actor: Actor, invitation_id: UUID) -> Invitation:
    """The invitation, for whoever may invite there. Raises `NotFound`, `Forbidden`."""
    row = Invitation.objects.select_related("made_by").filter(pk=invitation_id).first()
    if row is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    require(actor, "member.invite", row.workspace_id)
    return row


def revoke_invitation(invitation_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Nobody joins by it any more; who has joined stays. Raises `Conflict` for one that is revoked already."""
    row = get_invitation(actor, invitation_id)
    if row.revoked_at is not None:
        raise Conflict("This invitation is revoked already.", code="revoked")
    return _set(row, timezone.now(), InvitationRevoked(invitation_id=row.pk), actor, operation)


def restore_invitation(invitation_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """An invitation that was revoked lets people in again, for as long and as often as it was meant to."""
    row = get_invitation(actor, invitation_id)
    if row.revoked_at is None:
        raise Conflict("This invitation is not revoked.", code="not_revoked")
    made = InvitationMade(invitation_id=row.pk, role=row.role, most_uses=row.most_uses)
    return _set(row, None, made, actor, operation)


def _set(
    row: Invitation,
    revoked_at: datetime | None,
    event: InvitationMade | InvitationRevoked,
    actor: Actor,
    operation: str,
) -> Future[Outcome]:
    return commit.submit(
        Change(
            actor,
            row.workspace_id,
            require(actor, "member.invite", row.workspace_id),
            (Update(Invitation._meta.label, row.pk, {"revoked_at": revoked_at}, {"revoked_at": row.revoked_at}),),
            (Fact(row.workspace_id, event),),
            operation,
            verb="invitation.revoke",
            answer={"id": str(row.pk)},
        )
    )


def find(code: str) -> Invitation:
    """The invitation that a code means, whatever became of it. Raises `NotFound`."""
    return by_digest(tokens.digest(tokens.read_code(code)))


def by_digest(digest: str) -> Invitation:
    """The same by what is stored of its code."""
    row = Invitation.objects.select_related("workspace", "made_by__user").filter(digest=digest).first()
    if row is None:
        raise NotFound(f"No invitation is known by this link. {_ASK}", code="unknown_code")
    return row


def standing(row: Invitation, now: datetime) -> str:
    """`open`, or what became of it: `revoked`, `void` (its maker may not invite any more), `over`, `used`."""
    maker = row.made_by
    if row.revoked_at is not None:
        return "revoked"
    if maker.left_at is not None or maker.role not in MAY_INVITE or not (maker.user and maker.user.is_active):
        return "void"
    if row.workspace.closed_at is not None:
        return "void"
    if row.expires_at <= now:
        return "over"
    return "used" if row.uses >= row.most_uses else "open"


@insisting(12)
def join(digest: str, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Take a seat by the invitation of this digest. Answer: {"workspace", "member", "role"}.

    Raises `Conflict` (`already_here`, or what `standing` says), `Forbidden` for who left after it was made.
    """
    if actor.kind is not ActorKind.PERSON or actor.user_id is None:
        raise Forbidden("Only a person can take up an invitation.")
    row, now = by_digest(digest), timezone.now()
    known = Member.objects.filter(workspace=row.workspace_id, user=actor.user_id).first()
    if known is not None and known.left_at is None:
        raise Conflict(f"You are in {row.workspace.name} already.", code="already_here", workspace=row.workspace_id)
    if (state := standing(row, now)) != "open":
        raise Conflict(ENDED[state], code=state)
    if known is not None and known.left_at is not None and known.left_at >= row.made_at:
        raise Forbidden(f"Your seat there was given up after this invitation was made. {_ASK}", code="left_since")
    write, fact = seating(row.workspace_id, actor.user_id, given_role(row.role), now, invitation_id=row.pk)
    answer = {"workspace": str(row.workspace_id), "member": str(write.pk), "role": row.role}
    return commit.submit(
        Change(
            actor,
            row.workspace_id,
            (_still_invites(row.made_by),),
            (write, Update(Invitation._meta.label, row.pk, {"uses": row.uses + 1}, _as_read(row))),
            (fact,),
            operation,
            verb="invitation.join",
            answer=answer,
        )
    )


def _still_invites(maker: Member) -> Expect:
    return Expect(Member._meta.label, maker.pk, {"auth_version": maker.auth_version, "left_at": None})


def _as_read(row: Invitation) -> dict[str, Any]:
    # Of two who come at once by its last use, one gets in.
    return {"uses": row.uses, "revoked_at": None}
