"""Verbs on approvals: an agent's permission requests and their answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.answer_form import Posted, answer_of, fields_of
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update, one_of
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.core.shrinking import TOTAL, shrunk_text
from clawgroups.core.task_events import ApprovalDecided, ApprovalExpired, ApprovalRequested, ApprovalVoided
from clawgroups.core.timers import after, wait_for_answer, wait_for_approval
from clawgroups.models import Approval, Attempt, Session, Step, Task
from clawgroups.permissions import get_approval, require, seat_of
from clawgroups.services.attempts import Decision, cancelled, fence, reply
from clawgroups.services.deadlines import in_hand, name_of, rested, timers_of, waits, waits_in_hand
from clawgroups.services.hands import on_behalf
from clawgroups.services.late import refusal_of
from clawgroups.services.workspaces import clean_text

KINDS = ("allow_once", "allow_always", "reject_once", "reject_always")
# A form is answered or declined, in the words of ACP.
FORM = "form"
ACCEPT = "accept"
FORM_OPTIONS = (
    {"optionId": ACCEPT, "name": "Answer", "kind": "allow_once"},
    {"optionId": "decline", "name": "Decline", "kind": "reject_once"},
)
ANSWER = "answer"  # the kind of what answers a question
MAX_ANSWER = 20_000


def request_approval(
    session_id: UUID,
    *,
    request_id: Any,
    tool_call: Mapping[str, Any],
    options: Sequence[Mapping[str, Any]],
    actor: Actor,
    form: Mapping[str, Any] | None = None,
) -> Future[Outcome]:
    """Store an agent's question before anybody is asked. The same request id on the same link is the same question.

    `form`: the schema of what it wants to be told, where it asks for more than a yes or no. Answer: {"id", "open"};
    `open` is False when the attempt is over, and the agent is told so (-32010).
    Raises `Invalid` for options without ids or kinds, `NotFound` for a foreign session.
    """
    rows = Session.objects.select_related("attempt__member")
    session = rows.filter(pk=session_id, agent=actor.agent_id).first()
    if session is None:
        raise NotFound("There is no such session.")
    attempt = session.attempt
    actor = on_behalf(actor, attempt)
    task = Task.objects.select_related("workspace", "run").get(pk=attempt.task_id)
    offered = clean_options(options)
    tool_call = {**_told_before(attempt, tool_call), **tool_call}
    now = timezone.now()
    pk = _question_id(session, request_id)
    live = attempt.state in ("offered", "working") and attempt.epoch == task.epoch
    expires_at = after(now, timers_of(task.workspace).approval)
    values = {
        "workspace_id": session.workspace_id,
        "task_id": task.pk,
        "attempt_id": attempt.pk,
        "session_id": session.pk,
        "epoch": attempt.epoch,
        "request_id": request_id,
        "tool_call": tool_call,
        "options": offered,
        "kind": "permission" if form is None else FORM,
        "form": dict(form or {}),
        "digest": hashlib.sha256(json.dumps(tool_call, sort_keys=True, default=str).encode()).hexdigest(),
        "state": "open" if live else "void",
        "asked_at": now,
        "expires_at": expires_at,
    }
    decision = Decision()
    if not Approval.objects.filter(pk=pk).exists():
        decision.writes.append(Insert("clawgroups.Approval", pk, values))
        if live:
            fact = ApprovalRequested(approval_id=pk, task_id=task.pk, attempt_id=attempt.pk)
            decision.facts.append(Fact(task.workspace_id, fact))
            decision.writes.append(asked(task, [Approval(pk=pk, **values), *open_questions(attempt, pk)], now))
        else:
            decision.add(refusal_of(session, task, request_id, now))
    return commit.submit(
        Change(
            actor,
            session.workspace_id,
            (),
            tuple(decision.writes),
            tuple(decision.facts),
            verb="approval.request",
            answer={"id": str(pk), "open": live},
            wakes=tuple(decision.wakes),
        )
    )


def _question_id(session: Session, request_id: Any) -> UUID:
    """The row of a question. An agent that was restarted counts from the start again, in the same session."""
    return uuid5(session.pk, f"{session.link}:{json.dumps(request_id)}")


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
    waiting = waits(task, wait(first.expires_at, name_of(task.run)), now)
    return Update("clawgroups.Task", task.pk, waiting, fence(task))


def _told_before(attempt: Attempt, tool_call: Mapping[str, Any]) -> dict[str, Any]:
    """What the agent has told of this tool call: some ask about it by its id alone."""
    step = Step.objects.filter(attempt=attempt, tool_call_id=str(tool_call.get("toolCallId", ""))[:200]).first()
    return {} if step is None else {**step.detail, "title": step.title, "kind": step.kind, "status": step.status}


def clean_options(options: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The options as given, each with id, name and kind. Raises `Invalid` when none is usable."""
    cleaned: dict[str, dict[str, str]] = {}
    for option in options[:20]:
        option_id, kind = str(option.get("optionId", ""))[:200], str(option.get("kind", ""))
        if option_id and kind in KINDS and option_id not in cleaned:
            name = str(option.get("name", "") or kind.replace("_", " "))[:200]
            cleaned[option_id] = {"optionId": option_id, "name": name, "kind": kind}
    if not cleaned:
        raise Invalid("The agent offered no usable option.", code="no_options")
    return list(cleaned.values())


def request_form(
    session_id: UUID, *, request_id: Any, message: str, form: Mapping[str, Any], tool_call_id: str, actor: Actor
) -> Future[Outcome]:
    """Store a form that an agent asks people to fill in, as a question like any other.

    Raises `Invalid` for a form that nobody could answer.
    """
    if len(json.dumps(form)) > TOTAL:
        raise Invalid("The form is too large.", code="no_form")
    fields_of(form)
    call = {"title": shrunk_text(message, 4000), **({"toolCallId": tool_call_id[:200]} if tool_call_id else {})}
    return request_approval(
        session_id, request_id=request_id, tool_call=call, options=FORM_OPTIONS, actor=actor, form=form
    )


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
    result = _chosen(approval, option_id, filled)
    expects = (*expects, *_still_asked(approval))
    decided = ApprovalDecided(approval_id=approval.pk, task_id=approval.task_id, kind=kind)
    return _settle(approval, values, result, (decided,), actor, expects, operation)


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
    approval = None if session is None else questions.filter(pk=_question_id(session, request_id)).first()
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
) -> Future[Outcome]:
    """Close a question in one change: its row, the frame to the agent, and whom the task waits for."""
    now = now or timezone.now()
    decision = Decision([Update("clawgroups.Approval", approval.pk, values, {"state": "open"})])
    if result is not None:
        decision.add(reply(approval, result, now))
    decision.add(_after(approval, now))
    return commit.submit(
        Change(
            actor,
            approval.workspace_id,
            expects,
            tuple(decision.writes),
            tuple(Fact(approval.workspace_id, event) for event in events),
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
