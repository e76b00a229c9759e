"""An attempt's open questions: what its task waits for while there are any, and how one of them is closed.

Parts of a change, for the verbs that put, answer and end questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from clawgroups.core.changes import Update
from clawgroups.core.timers import wait_for_answer, wait_for_approval
from clawgroups.models import Approval, Attempt, Task
from clawgroups.services.attempts import Decision, cancelled, fence, reply
from clawgroups.services.deadlines import in_hand, name_of, rested, waits, waits_in_hand

FORM = "form"
ACCEPT = "accept"


def open_questions(attempt: Attempt, pk: UUID | None) -> list[Approval]:
    """An attempt's other open questions, the one that expires first in front."""
    questions = Approval.objects.filter(attempt=attempt, state="open").order_by("expires_at")
    return [one for one in questions if one.pk != pk]


def asked(task: Task, open_ones: Sequence[Approval], now: datetime) -> Update:
    """The task waits for a person's answer to the first of these that expires, and its other deadlines rest.

    One that a person holds waits for its holder as before: it is they who asked the agent.
    """
    if task.holder_id is not None:
        return Update("clawgroups.Task", task.pk, {}, fence(task))
    first = min(open_ones, key=lambda one: one.expires_at)
    wait = wait_for_approval if first.kind == "permission" else wait_for_answer
    who = first.asked_of.name if first.asked_of is not None else name_of(task.run)
    return Update("clawgroups.Task", task.pk, waits(task, wait(first.expires_at, who), now), fence(task))


def by_questions(task: Task, attempt: Attempt, questions: Sequence[Approval], now: datetime) -> Decision:
    """The task waits for the answer to the first of these; without any, its agent's deadlines go on."""
    if task.state not in ("assigned", "working") or task.assignee is None:
        return Decision()
    if questions:
        # Of two that are closed at once, one finds the other closed and decides again.
        still = Update("clawgroups.Approval", questions[0].pk, {}, {"state": "open"})
        return Decision([asked(task, questions, now), still])
    clocks = rested(attempt, task, now)
    waiting = waits_in_hand(task, in_hand(attempt, **clocks), task.assignee.name, now)
    return Decision(
        [
            Update("clawgroups.Task", task.pk, waiting, fence(task)),
            Update("clawgroups.Attempt", attempt.pk, clocks, {"state": attempt.state}),
        ]
    )


def closed(approval: Approval, values: Mapping[str, Any], result: dict[str, Any] | None, now: datetime) -> Decision:
    """Close an open question: its row, the frame to the agent (None: it is told nothing), and whom the task waits for.

    Whoever closes it first is the one who does.
    """
    seen = {"state": "open", "digest": approval.digest}
    decision = Decision([Update("clawgroups.Approval", approval.pk, values, seen)])
    if result is not None:
        decision.add(reply(approval, result, now))
    task = Task.objects.select_related("workspace", "run", "assignee").get(pk=approval.task_id)
    if task.epoch == approval.epoch:
        decision.add(by_questions(task, approval.attempt, open_questions(approval.attempt, approval.pk), now))
    return decision


def chosen(approval: Approval, option_id: str, filled: dict[str, Any]) -> dict[str, Any]:
    """What the agent is answered, in the form in which it asked."""
    if approval.kind != FORM:
        return {"outcome": {"outcome": "selected", "optionId": option_id}}
    return {"action": ACCEPT, "content": filled} if option_id == ACCEPT else {"action": option_id}


def rejection(approval: Approval) -> dict[str, Any]:
    """The answer “no”, by an option that the agent offered; `cancelled` where it offered none."""
    kinds = ("reject_once", "reject_always")
    reject = next((o for kind in kinds for o in approval.options if o["kind"] == kind), None)
    return cancelled(approval) if reject is None else chosen(approval, reject["optionId"], {})
