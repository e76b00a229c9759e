"""An "always" that a person chose is a rule of the workspace, which expires and can be revoked; no agent keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agents.ids import new_id
from clawgroups.core.approval_events import RuleMade
from clawgroups.core.changes import Fact, Insert
from clawgroups.core.rule_text import LIFE
from clawgroups.core.ruling import once_for
from clawgroups.core.shrinking import shrunk_text
from clawgroups.models import Approval, Member, Rule
from clawgroups.services.attempts import Decision
from clawgroups.services.ruling import in_force, judge_call

MOST_KEPT = 1000
"""Rules for exactly one thing that a workspace keeps; then an answer counts once."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is told to the agent in place of an "always", and the rule that it becomes."""

    option_id: str
    decision: Decision = field(default_factory=Decision)


def keep(approval: Approval, chosen: Mapping[str, str], seat: Member, now: datetime) -> Kept:
    """What becomes of a person's answer. Of any other than an "always": what they chose, and nothing else.

    What is critical is never allowed for good, nor what is not known as a whole.
    """
    if approval.kind != "permission" or not chosen["kind"].endswith("_always"):
        return Kept(chosen["optionId"])
    told = once_for(chosen, approval.options)["optionId"]
    answer = "allow" if chosen["kind"] == "allow_always" else "deny"
    if not may_keep(approval, answer, now):
        return Kept(told)
    return Kept(told, rule_from(approval, answer, seat, now))


def may_keep(approval: Approval, answer: str, now: datetime) -> bool:
    """Whether this answer to a question may hold for the next ones that ask for exactly the same."""
    if approval.kind != "permission" or not approval.sameness:
        return False
    if answer == "allow" and _is_critical(approval, now):
        return False
    return in_force(approval.workspace_id, now).exclude(exactly="").count() < MOST_KEPT


def _is_critical(approval: Approval, now: datetime) -> bool:
    if approval.rule is not None and approval.rule.answer == "critical":
        return True
    ruling = judge_call(approval.task, approval.session, approval.tool_call, approval.sameness, now)
    return ruling.answer == "critical"


def rule_from(
    approval: Approval, answer: str, seat: Member, now: datetime, *, seconds: float = LIFE, for_all: bool = False
) -> Decision:
    """The rule that answers what asks for exactly the same: of the same agent, or of all. See `may_keep` first."""
    agent = None if for_all else approval.session.agent_id
    same = in_force(approval.workspace_id, now).filter(agent=agent, exactly=approval.sameness, answer=answer)
    # Of two that are answered one after the other, the first will do.
    if same.filter(expires_at__gte=now + timedelta(seconds=0.9 * seconds)).exists():
        return Decision()
    pk = new_id()
    values: dict[str, Any] = {
        "workspace_id": approval.workspace_id,
        "answer": answer,
        "kinds": [],
        "agent_id": agent,
        "exactly": approval.sameness,
        "note": shrunk_text(str(approval.tool_call.get("title") or ""), 300),
        "made_from": approval.pk,
        "made_by_id": seat.pk,
        "made_at": now,
        "expires_at": now + timedelta(seconds=seconds),
    }
    made = Fact(approval.workspace_id, RuleMade(rule_id=pk, answer=answer))
    return Decision([Insert(Rule._meta.label, pk, values)], [made])
