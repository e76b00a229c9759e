"""Rules and what they did, as the API shows them."""

from __future__ import annotations

from typing import Any

from clawgroups.api.shown import Json, columns, seat
from clawgroups.models import Overstep, Rule
from clawgroups.services.rules import DryRun, Tried


def rule(row: Any) -> Json:
    """`exactly`: it was made from the question `made_from`, for exactly what that asked for. `made_by` null: it came
    with the workspace. `times`: how often it answered, or called something critical.
    """
    assert isinstance(row, Rule)
    said = columns(
        row, "id", "answer", "kinds", "paths", "commands", "needed", "note", "made_from", "made_at", "expires_at",
        "revoked_at",
    )  # fmt: skip
    return {
        **said,
        "agent": str(row.agent_id) if row.agent_id else None,
        "run": str(row.run_id) if row.run_id else None,
        "exactly": bool(row.exactly),
        "made_by": seat(row.made_by),
        "revoked_by": seat(row.revoked_by),
        "times": getattr(row, "times", 0),
    }


def dry_run(found: DryRun) -> Json:
    """`doubtful`: how many it would have allowed, had it been clear that nothing denied or critical is meant;
    `unplaced`: of how many nobody knows the work folder, where no path and no command is allowed by a rule.
    """
    return {
        "looked_at": found.looked_at,
        "doubtful": found.doubtful,
        "unplaced": found.unplaced,
        "fits": [_tried(one) for one in found.fits],
        "differs": sum(one.differs for one in found.fits),
    }


def _tried(one: Tried) -> Json:
    """`answer`: of the rule; the rest is what became of the question."""
    said = columns(one.question, "id", "state", "option_kind", "asked_at", "tool_call")
    return {**said, "answer": one.ruling.answer, "decided_by": seat(one.question.decided_by), "differs": one.differs}


def overstep(row: Overstep) -> Json:
    """`rule`: which calls it critical. Its arguments stand with the step, in the transcript of the attempt."""
    return {
        **columns(row, "id", "at", "seen_at"),
        "task": {"id": str(row.task_id), "title": row.task.title},
        "attempt": str(row.attempt_id),
        "step": str(row.step_id),
        "rule": str(row.rule_id),
        "member": seat(row.attempt.member),
        "seen_by": seat(row.seen_by),
    }
