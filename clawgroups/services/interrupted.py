"""A person takes a task out of an agent's hands for now: what pausing and stopping share.

It is nobody's fault: no try is used up, nothing of it is on the agent's record, and the same agent is preferred
when it goes on, in the session that it had where that lives.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from clawgroups.core.actors import Actor
from clawgroups.core.errors import Conflict
from clawgroups.core.lifecycle import TASK_TERMINAL, AttemptVerb
from clawgroups.core.retries import MAX_TRIES
from clawgroups.models import Task
from clawgroups.services.attempts import Decision, end_attempt
from clawgroups.services.hands import own_seat

IN_HAND = ("assigned", "working")


def name_here(actor: Actor, task: Task) -> str:
    """What the person is called in this workspace."""
    return own_seat(actor, task).name


def set_down(task: Task, by: str, said: str, now: datetime) -> tuple[Decision, dict[str, Any]]:
    """End the attempt of a task in hand: what becomes of the agent's turn, and the columns of the task that is free.

    `by` is whoever wants it so, `said` what is said of it: "Ada paused it".
    """
    decision = Decision()
    if task.attempt is not None and task.attempt.ended_at is None:
        decision.add(end_attempt(task.attempt, AttemptVerb.CANCEL, now, reason=said))
    brief = {
        **task.brief,
        "preferred": str(task.assignee_id or ""),
        "previous": str(task.attempt_id or ""),
        "interrupted": {"by": by, "said": said},
    }
    columns = {
        "epoch": task.epoch + 1,
        "assignee_id": None,
        "attempt_id": None,
        "tries": max(min(task.tries, MAX_TRIES) - 1, 0),
        "not_before": None,
        "failure": "",
        "reason": "",
        "brief": brief,
    }
    return decision, columns


def check_reachable(task: Task, verb: str) -> None:
    """Raises `Conflict` for a task that is over, in a person's hands, in review, or whose run is not under way."""
    state = task.state.replace("_", " ")
    if task.state in TASK_TERMINAL:
        raise Conflict(f"This task is {state}; there is nothing to {verb}.", code="closed")
    if task.run.state != "running":
        raise Conflict(f"The run is {task.run.state}; there is nothing to {verb} in it now.", code="run_not_running")
    if task.holder is not None:
        raise Conflict(
            f"{task.holder.name} works on this task by hand; no agent is at it. Ask {task.holder.name} for it.",
            code="held",
            holder=task.holder.name,
        )
    if task.state == "in_review":
        raise Conflict(
            f"Its result is in review; there is nobody to {verb}. Return it with reasons, or take it over.",
            code="in_review",
        )
