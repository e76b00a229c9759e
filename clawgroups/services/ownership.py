"""Giving a workspace to another member: by its owner alone, who says its name so that it is not done by mistake."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from clawgroups import commit
from clawgroups.core.actors import Actor, Role
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.errors import Forbidden, Invalid
from clawgroups.core.events import MemberRoleSet
from clawgroups.models import Member
from clawgroups.permissions import get_workspace, require, seat_of

HEIRS = (Role.ADMIN.value, Role.MEMBER.value)


def heirs(workspace_id: UUID) -> QuerySet[Member]:
    """The people whom a workspace can be given to: its admins and members."""
    seats = Member.objects.filter(workspace=workspace_id, left_at=None, user__is_active=True, role__in=HEIRS)
    return seats.order_by("name")


def transfer_workspace(
    workspace_id: UUID, *, member_id: UUID, confirm: str, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Make another member the owner; who was it stays as an admin. `confirm` is the workspace's name, as it is now.

    Only the new owner can give it back. Raises `Invalid` with the field that is wrong.
    """
    workspace = get_workspace(actor, workspace_id, "workspace.transfer")
    expects = require(actor, "workspace.transfer", workspace_id)
    mine, heir = seat_of(actor, workspace_id), heirs(workspace_id).filter(pk=member_id).first()
    if mine is None:
        raise Forbidden("Only the owner gives a workspace away.")
    if heir is None:
        raise Invalid("Choose a person who is admin or member here.", field="member")
    if " ".join(confirm.split()) != " ".join(workspace.name.split()):
        raise Invalid(f"Type the name of the workspace, “{workspace.name}”, to confirm.", field="confirm")
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects,
            (_becomes(heir, Role.OWNER), _becomes(mine, Role.ADMIN)),
            tuple(
                Fact(workspace_id, MemberRoleSet(member_id=seat.pk, role=role))
                for seat, role in ((heir, Role.OWNER), (mine, Role.ADMIN))
            ),
            operation,
            verb="workspace.transfer",
            answer={"id": str(workspace_id), "owner": str(heir.pk)},
        )
    )


def _becomes(seat: Member, role: Role) -> Update:
    values: dict[str, Any] = {"role": role.value, "auth_version": seat.auth_version + 1}
    # An owner that is muted could not be heard by anybody.
    if role is Role.OWNER:
        values["muted_at"] = None
    return Update(Member._meta.label, seat.pk, values, {"auth_version": seat.auth_version, "left_at": None})
