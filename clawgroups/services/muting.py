"""Having a member write no messages for a while: all else that its role allows it goes on doing."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.access_events import MemberMuted, MemberUnmuted
from clawgroups.core.actors import Actor, Role
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.errors import Conflict, Forbidden, NotFound
from clawgroups.models import Member
from clawgroups.permissions import get_member, require, seat_of


def mute_member(member_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """A person or an agent writes no messages from now on, also on pages and sockets that are open.

    Raises `Forbidden` for the owner and for oneself, `Conflict` for who is muted already.
    """
    member = _member(member_id, actor)
    if member.role == Role.OWNER:
        raise Forbidden("The owner of a workspace cannot be muted.")
    mine = seat_of(actor, member.workspace_id)
    if mine is not None and mine.pk == member.pk:
        raise Forbidden("You cannot mute yourself.")
    if member.muted_at is not None:
        raise Conflict(f"{member.name} is muted already.", code="muted")
    return _set(member, MemberMuted(member_id=member.pk), actor, operation)


def unmute_member(member_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """A member that was muted may write again. Raises `Conflict` for one that was not."""
    member = _member(member_id, actor)
    if member.muted_at is None:
        raise Conflict(f"{member.name} is not muted.", code="not_muted")
    return _set(member, MemberUnmuted(member_id=member.pk), actor, operation)


def _member(member_id: UUID, actor: Actor) -> Member:
    member = get_member(actor, member_id, "member.mute")
    if member.left_at is not None:
        raise NotFound("There is no such member.")
    return member


def _set(member: Member, event: MemberMuted | MemberUnmuted, actor: Actor, operation: str) -> Future[Outcome]:
    # A right to speak that was read before does not hold any more: whatever is being written expects the old version.
    values = {
        "muted_at": timezone.now() if isinstance(event, MemberMuted) else None,
        "auth_version": member.auth_version + 1,
    }
    expected = {"auth_version": member.auth_version, "left_at": None}
    return commit.submit(
        Change(
            actor,
            member.workspace_id,
            require(actor, "member.mute", member.workspace_id),
            (Update(Member._meta.label, member.pk, values, expected),),
            (Fact(member.workspace_id, event),),
            operation,
            verb=event.type,
            answer={"id": str(member.pk), "muted": values["muted_at"] is not None},
        )
    )
