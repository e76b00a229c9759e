"""Facts about what agents ask people, and the rules that answer some of it; part of the vocabulary in `core.events`."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from clawgroups.core.event_base import JournalEvent


class ApprovalRequested(JournalEvent):
    """none → open: an attempt asks a person; its content has its own authorised address."""

    type: Literal["approval.requested"] = "approval.requested"
    approval_id: UUID
    task_id: UUID
    attempt_id: UUID


class ApprovalEscalated(JournalEvent):
    """No move: nobody has answered in time, so that the next ones are asked, too.

    `to_id`: that person; nobody: everybody in the workspace who may answer.
    """

    type: Literal["approval.escalated"] = "approval.escalated"
    approval_id: UUID
    task_id: UUID
    to_id: UUID | None = None


class ApprovalVoted(JournalEvent):
    """No move: one of the `needed` people has let a critical operation pass; `have` of them so far."""

    type: Literal["approval.voted"] = "approval.voted"
    approval_id: UUID
    task_id: UUID
    member_id: UUID
    have: int
    needed: int


class ApprovalDecided(JournalEvent):
    """open → decided, by the first valid answer, or by the rule `rule_id` before anybody was asked."""

    type: Literal["approval.decided"] = "approval.decided"
    approval_id: UUID
    task_id: UUID
    kind: str
    rule_id: UUID | None = None


class ApprovalExpired(JournalEvent):
    """open → expired: nobody answered in time; the agent was told a rejection."""

    type: Literal["approval.expired"] = "approval.expired"
    approval_id: UUID
    task_id: UUID


class ApprovalVoided(JournalEvent):
    """open → void: nobody decides it any more.

    `why`: "changed" (the agent wants something else by now), "withdrawn" (by the agent), "taken_over", or "over" (its
    attempt, or its turn).
    """

    type: Literal["approval.voided"] = "approval.voided"
    approval_id: UUID
    task_id: UUID
    why: str = ""


class AttemptOverstepped(JournalEvent):
    """No move: an agent did something critical without asking; `rule_id` calls it so."""

    type: Literal["attempt.overstepped"] = "attempt.overstepped"
    task_id: UUID
    attempt_id: UUID
    rule_id: UUID | None = None


class OverstepSeen(JournalEvent):
    """No move: somebody has looked at something critical that an agent did without asking."""

    type: Literal["attempt.overstep_seen"] = "attempt.overstep_seen"
    overstep_id: UUID
    task_id: UUID


class RuleMade(JournalEvent):
    """none → in force: a rule that answers agents, or names what is critical. `answer`: deny, critical, allow, ask."""

    type: Literal["rule.made"] = "rule.made"
    rule_id: UUID
    answer: str


class RuleRevoked(JournalEvent):
    """in force → revoked: it answers nothing any more."""

    type: Literal["rule.revoked"] = "rule.revoked"
    rule_id: UUID


ApprovalEvent = (
    ApprovalRequested
    | ApprovalEscalated
    | ApprovalVoted
    | ApprovalDecided
    | ApprovalExpired
    | ApprovalVoided
    | AttemptOverstepped
    | OverstepSeen
    | RuleMade
    | RuleRevoked
)
