"""Verbs on approvals: the answers to what agents ask, and what ends without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.answer_form import Posted, answer_of
from clawgroups.core.approval_events import ApprovalDecided, ApprovalExpired, ApprovalVoided
from clawgroups.core.changes import Change, Expect, Fact, Outcome, Update, one_of
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.models import Approval, Attempt, Session, Task
from clawgroups.permissions import get_approval, require, seat_of
from clawgroups.services.attempts import Decision, cancelled, fence, reply
from clawgroups.services.deadlines import in_hand, rested, waits_in_hand
from clawgroups.services.keeping import Kept, keep
from clawgroups.services.putting import ACCEPT, FORM, asked, open_questions, question_id
from clawgroups.services.workspaces import clean_text

ANSWER = "answer"  # the kind of what answers a question
MAX_ANSWER = 20_000


def decide_approval(
    approval_id: UUID,
    *,
    option_id: str = "",
    text: str = "",
    answers: Posted | None = None,
    actor: Actor,
    operation: str = "",
) -> Future[Outcome]:
    """Answer an agent's question with one of the options it offered. The first valid answer wins.

    A question of kind "question" takes `text` as well, with a choice or without one; a form takes `answers`: the values
    for its fields, by their names. Raises `Invalid` with the field that does not fit.
    """
    approval = get_approval(actor, approval_id, "approval.decide")
    expects = require(actor, "approval.decide", approval.workspace_id)
    chosen = next((o for o in approval.options if o["optionId"] == option_id), None)
    answer = _clean_answer(approval, chosen, text)
    if chosen is None and (option_id or not answer):
        raise Invalid("That is not one of the options the agent offered.", field="option")
    if approval.state != "open":
        raise _over(approval)
    filled = answer_of(approval.form, answers or {}) if approval.kind == FORM and option_id == ACCEPT else {}
    seat = seat_of(actor, approval.workspace_id)
    now = timezone.now()
    kind = chosen["kind"] if chosen is not None else ANSWER
    values = {
        "state": "decided",
        "filled": filled,
        "option_id": option_id,
        "option_kind": kind,
        "answer": answer,
        "decided_by_id": seat.pk if seat else None,
        "decided_at": now,
    }
    kept = keep(approval, chosen, seat, now) if chosen is not None and seat is not None else Kept(option_id)
    if kept.option_id != option_id:
        values["sent_option"] = kept.option_id
    result = _chosen(approval, kept.option_id, filled)
    expects = (*expects, *_still_asked(approval))
    decided = ApprovalDecided(approval_id=approval.pk, task_id=approval.task_id, kind=kind)
    return _settle(approval, values, result, (decided,), actor, expects, operation, also=kept.decision)


def _over(approval: Approval) -> Conflict:
    """What became of a question that somebody answers too late."""
    holder = approval.task.holder
    said = f"This question is {approval.state} already."
    if approval.state == "void" and holder is not None:
        said = f"{holder.name} took the task over; what was asked before is not decided any more."
    return Conflict(said, code="not_open", state=approval.state)


def _clean_answer(approval: Approval, chosen: Mapping[str, str] | None, text: str) -> str:
    """The words of the answer to a question. Raises `Invalid` where none are taken, or none are given."""
    given = clean_text(text, what="Answer", limit=MAX_ANSWER)
    if approval.kind != "question":
        if given:
            raise Invalid("This agent asks for permission: choose one of its options.", field="text")
        return ""
    if chosen is None:
        return clean_text(given, what="Answer", limit=MAX_ANSWER, required=True)
    return f"{chosen['name']}: {given}" if given else chosen["name"]


def _still_asked(approval: Approval) -> tuple[Expect, ...]:
    """That the attempt that asked goes on. Raises `Conflict` where it is over, and the question not void yet.

    It came in while the attempt was being ended, so that the next sweep voids it: nobody may let the agent go on.
    """
    live = tuple(state.value for state in ATTEMPT_LIVE)
    if approval.attempt.state not in live or approval.task.epoch != approval.epoch:
        raise Conflict("Nobody waits for this answer any more: its attempt is over.", code="not_open", state="void")
    return (
        Expect("clawgroups.Task", approval.task_id, {"epoch": approval.epoch}),
        Expect("clawgroups.Attempt", approval.attempt_id, {"state": one_of(*live)}),
    )


def expire_approval(approval_id: UUID, *, at: datetime | None = None) -> Future[Outcome]:
    """Nobody answered in time (`at`: it is noticed now): the agent is told a rejection it offered, else `cancelled`."""
    approval = Approval.objects.select_related("session", "task", "attempt").get(pk=approval_id)
    reject = next((o for kind in ("reject_once", "reject_always") for o in approval.options if o["kind"] == kind), None)
    result = cancelled(approval) if reject is None else _chosen(approval, reject["optionId"], {})
    now = at or timezone.now()
    values = {"state": "expired", "decided_at": now}
    expired = ApprovalExpired(approval_id=approval.pk, task_id=approval.task_id)
    return _settle(approval, values, result, (expired,), SYSTEM, now=now)


def _chosen(approval: Approval, option_id: str, filled: dict[str, Any]) -> dict[str, Any]:
    """What the agent is answered, in the form in which it asked."""
    if approval.kind != FORM:
        return {"outcome": {"outcome": "selected", "optionId": option_id}}
    return {"action": ACCEPT, "content": filled} if option_id == ACCEPT else {"action": option_id}


def withdraw_approval(session_id: UUID, *, request_id: Any, actor: Actor) -> Future[Outcome]:
    """The agent takes its question back; the request itself is answered by the gateway (-32800)."""
    session = Session.objects.filter(pk=session_id, agent=actor.agent_id).first()
    questions = Approval.objects.select_related("session", "task", "attempt")
    approval = None if session is None else questions.filter(pk=question_id(session, request_id)).first()
    if approval is None:
        raise NotFound("There is no such question.")
    values = {"state": "void", "decided_at": timezone.now()}
    voided = ApprovalVoided(approval_id=approval.pk, task_id=approval.task_id)
    return _settle(approval, values, None, (voided,), actor)


def void_approval(approval_id: UUID) -> Future[Outcome]:
    """Nobody waits for this answer any more: its attempt ended at the moment at which the question came in."""
    approval = Approval.objects.select_related("session", "task", "attempt").get(pk=approval_id)
    voided = ApprovalVoided(approval_id=approval.pk, task_id=approval.task_id)
    return _settle(approval, {"state": "void", "decided_at": timezone.now()}, cancelled(approval), (voided,), SYSTEM)


def _settle(
    approval: Approval,
    values: Mapping[str, Any],
    result: dict[str, Any] | None,
    events: Sequence[ApprovalDecided | ApprovalExpired | ApprovalVoided],
    actor: Actor,
    expects: tuple[Expect, ...] = (),
    operation: str = "",
    now: datetime | None = None,
    also: Decision | None = None,
) -> Future[Outcome]:
    """Close a question in one change: its row, the frame to the agent, and whom the task waits for. `also`: what goes
    with the answer.
    """
    now = now or timezone.now()
    decision = Decision([Update("clawgroups.Approval", approval.pk, values, {"state": "open"})])
    if result is not None:
        decision.add(reply(approval, result, now))
    decision.add(_after(approval, now))
    if also is not None:
        decision.add(also)
    return commit.submit(
        Change(
            actor,
            approval.workspace_id,
            expects,
            tuple(decision.writes),
            (*(Fact(approval.workspace_id, event) for event in events), *decision.facts),
            operation,
            verb="approval.settle",
            answer={"id": str(approval.pk), "state": values["state"]},
            wakes=tuple(decision.wakes),
        )
    )


def _after(approval: Approval, now: datetime) -> Decision:
    """What the task waits for once a question is closed."""
    task = Task.objects.select_related("workspace", "run", "assignee").get(pk=approval.task_id)
    if task.epoch != approval.epoch:
        return Decision()
    return _by_questions(task, approval.attempt, open_questions(approval.attempt, approval.pk), now)


def _by_questions(task: Task, attempt: Attempt, questions: Sequence[Approval], now: datetime) -> Decision:
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


def look_again(task_id: UUID, now: datetime) -> Future[Outcome]:
    """Make a task wait as its open questions ask for: one that was put and one that was answered can cross."""
    task = Task.objects.select_related("workspace", "run", "assignee", "attempt").get(pk=task_id)
    decision = Decision()
    if task.attempt is not None:
        decision = _by_questions(task, task.attempt, open_questions(task.attempt, None), now)
    return commit.submit(Change(SYSTEM, task.workspace_id, writes=tuple(decision.writes), verb="approval.look_again"))
