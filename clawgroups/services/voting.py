"""Several people must agree to what is critical: each who allows it has agreed, and the last of them decides."""

from __future__ import annotations

from datetime import datetime

from agents.ids import new_id
from clawgroups.core.approval_events import ApprovalVoted
from clawgroups.core.changes import Fact, Insert, Update, Write
from clawgroups.models import Approval, Member, Vote
from clawgroups.services.attempts import Decision
from clawgroups.services.routing import MAY_ANSWER


def votes_of(approval: Approval) -> list[Vote]:
    """Who has agreed so far, of those who may still answer; oldest first."""
    able = Vote.objects.filter(member__left_at=None, member__user__is_active=True, member__role__in=MAY_ANSWER)
    return list(able.filter(approval=approval.pk).select_related("member").order_by("at"))


def agree(approval: Approval, seat: Member, option_id: str, now: datetime) -> tuple[Decision, int]:
    """This person agrees: their vote, as part of a change, and how many have agreed then. Twice changes nothing.

    Two at the same moment: one of them finds the other's vote, and decides again.
    """
    before = votes_of(approval)
    if any(vote.member_id == seat.pk for vote in before):
        return Decision(), len(before)
    have = len(before) + 1
    vote = {"approval_id": approval.pk, "member_id": seat.pk, "option_id": option_id, "at": now}
    seen = {"state": "open", "agreed": approval.agreed}
    event = ApprovalVoted(
        approval_id=approval.pk, task_id=approval.task_id, member_id=seat.pk, have=have, needed=approval.needed
    )
    writes: list[Write] = [
        Update("clawgroups.Approval", approval.pk, {"agreed": approval.agreed + 1}, seen),
        Insert("clawgroups.Vote", new_id(), vote),
    ]
    return Decision(writes, [Fact(approval.workspace_id, event)]), have
