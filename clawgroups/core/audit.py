"""The audit trail: which facts are on it, and how one row is bound to the one before it.

A chain per workspace, and one of the installation (keys, accounts). The digest of a row is an HMAC over the digest of
the row before it and over what it says, so that a row that was changed, taken out or put in between no longer fits,
and nobody who only has the database can make it fit (reliability.md 3, ASVS 16.4.2).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

INSTALLATION = UUID(int=0)
"""The chain of what belongs to no workspace."""
BEGINNING = ""
"""What the first row of a chain follows on."""
# Decisions, policies, takeovers, keys, roles; and what runs cost and when they were stopped.
AUDITED = frozenset(
    {
        "agent.breaker_set",
        "agent.profile_set",
        "agent.retired",
        "approval.decided",
        "approval.expired",
        "approval.voided",
        "approval.voted",
        "attempt.overstepped",
        "attempt.overstep_seen",
        "control.answered",
        "invitation.made",
        "invitation.revoked",
        "member.joined",
        "member.left",
        "member.muted",
        "member.profile_set",
        "member.role_set",
        "member.unmuted",
        "memory.edited",
        "memory.forgotten",
        "memory.restored",
        "memory.struck",
        "message.removed",
        "rule.made",
        "rule.revoked",
        "run.budget_set",
        "run.cancelled",
        "run.plan_edited",
        "run.replan_accepted",
        "run.replan_rejected",
        "run.shared",
        "run.started",
        "run.unshared",
        "session.option_set",
        "task.assignee_chosen",
        "task.cancelled",
        "task.done",
        "task.handed_back",
        "task.returned",
        "task.stopped",
        "task.taken_over",
        "workspace.closed",
        "workspace.coordination_set",
        "workspace.created",
        "workspace.goal_set",
        "workspace.renamed",
        "workspace.reopened",
        "workspace.rules_set",
        "workspace.timers_set",
    }
)


@dataclass(frozen=True, slots=True)
class Audit:
    """A row to be on the installation's chain: what was done, and to what. JSON values only, and never a secret."""

    action: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a chain. `told` is the JSON that its digest is made over; the other columns are for finding it."""

    number: int
    at: datetime
    action: str
    who: str
    told: str
    digest: str


def tell(
    chain: UUID, number: int, at: datetime, actor: Mapping[str, Any], action: str, detail: Mapping[str, Any]
) -> str:
    """What a row says, as the text that is stored and bound: no database may write its numbers in another way."""
    said = {"chain": str(chain), "number": number, "at": at.isoformat(), "actor": actor, "action": action}
    return json.dumps({**said, "detail": detail}, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(key: bytes, before: str, told: str) -> str:
    """The digest of a row that says this and follows on the row with the digest `before`."""
    return hmac.new(key, f"{before}\n{told}".encode(), hashlib.sha256).hexdigest()


def who(actor: Mapping[str, Any]) -> str:
    """An actor's name as it is found by."""
    return str(actor.get("name", ""))[:200]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place at which a chain does not hold."""

    number: int
    what: str


def first_fault(key: bytes, chain: UUID, rows: Iterable[Row], *, head: tuple[int, str]) -> Fault | None:
    """What is wrong with a chain, its rows in order; None where it holds up to its `head` (number, digest)."""
    before, number = BEGINNING, 0
    for row in rows:
        number += 1
        if row.number != number:
            return Fault(number, f"row {number} is missing; the next one there is {row.number}")
        if not hmac.compare_digest(digest(key, before, row.told), row.digest):
            return Fault(number, f"row {number} was changed, or follows on another row than it did")
        if not _is_as_told(row, chain):
            return Fault(number, f"row {number} is found by something else than it says")
        before = row.digest
    if (number, before) != head:
        return Fault(number + 1, f"the last row there is {number}, and {head[0]} were written")
    return None


def _is_as_told(row: Row, chain: UUID) -> bool:
    said = json.loads(row.told)
    found_by = (str(chain), row.number, row.at.isoformat(), row.action, row.who)
    return found_by == (said["chain"], said["number"], said["at"], said["action"], who(said["actor"]))
