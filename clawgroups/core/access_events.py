"""Facts about who is let in: invitations, read-only links of runs, and who may speak."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from clawgroups.core.event_base import JournalEvent


class InvitationMade(JournalEvent):
    """none or revoked → open: whoever has its code may join with this role, so many people in all."""

    type: Literal["invitation.made"] = "invitation.made"
    invitation_id: UUID
    role: str
    most_uses: int


class InvitationRevoked(JournalEvent):
    """open → revoked: nobody joins by it any more; who has joined stays."""

    type: Literal["invitation.revoked"] = "invitation.revoked"
    invitation_id: UUID


class RunShared(JournalEvent):
    """none or revoked → open: whoever has the link sees this run, without an account and read-only."""

    type: Literal["run.shared"] = "run.shared"
    run_id: UUID
    share_id: UUID


class RunUnshared(JournalEvent):
    """open → revoked: the link shows nothing any more."""

    type: Literal["run.unshared"] = "run.unshared"
    run_id: UUID
    share_id: UUID


class MemberMuted(JournalEvent):
    """speaks → muted: a member writes no messages, on pages that are open as well."""

    type: Literal["member.muted"] = "member.muted"
    member_id: UUID


class MemberUnmuted(JournalEvent):
    """muted → speaks."""

    type: Literal["member.unmuted"] = "member.unmuted"
    member_id: UUID


class WorkspaceClosed(JournalEvent):
    """open → closed: it is read, and nothing is done in it any more; what still runs is cancelled."""

    type: Literal["workspace.closed"] = "workspace.closed"


class WorkspaceReopened(JournalEvent):
    """closed → open. What was cancelled stays so."""

    type: Literal["workspace.reopened"] = "workspace.reopened"


AccessEvent = (
    InvitationMade
    | InvitationRevoked
    | RunShared
    | RunUnshared
    | MemberMuted
    | MemberUnmuted
    | WorkspaceClosed
    | WorkspaceReopened
)
