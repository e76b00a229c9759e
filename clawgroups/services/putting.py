"""Verbs that put an agent's question to people: a permission it asks for, or a form it wants filled in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.answer_form import fields_of
from clawgroups.core.approval_events import ApprovalRequested, ApprovalVoided
from clawgroups.core.changes import Change, Fact, Insert, Outcome, Update, Write
from clawgroups.core.errors import Invalid, NotFound
from clawgroups.core.sameness import fingerprint, given_else, sameness
from clawgroups.core.shrinking import TOTAL, shrunk_text
from clawgroups.core.timers import after
from clawgroups.models import Approval, Attempt, Session, Step, Task
from clawgroups.services.attempts import Decision
from clawgroups.services.deadlines import timers_of
from clawgroups.services.hands import on_behalf
from clawgroups.services.late import refusal_of
from clawgroups.services.open_asks import ACCEPT, FORM, asked, by_questions, closed, open_questions, rejection
from clawgroups.services.routing import put_first
from clawgroups.services.ruling import Ruled, rule_on

KINDS = ("allow_once", "allow_always", "reject_once", "reject_always")
# A form is answered or declined, in the words of ACP.
FORM_OPTIONS = (
    {"optionId": ACCEPT, "name": "Answer", "kind": "allow_once"},
    {"optionId": "decline", "name": "Decline", "kind": "reject_once"},
)


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

    With other arguments it is not: while it is open it is void then, the agent is told a rejection, and may ask again.
    `form`: the schema of what it wants to be told, where it asks for more than a yes or no. Answer: {"id", "open"};
    `open` is False when the attempt is over, and the agent is told so (-32010). A rule of the workspace may answer it.
    Raises `Invalid` for options without ids or kinds, `NotFound` for a foreign session.
    """
    rows = Session.objects.select_related("attempt__member", "agent")
    session = rows.filter(pk=session_id, agent=actor.agent_id).first()
    if session is None:
        raise NotFound("There is no such session.")
    attempt = session.attempt
    actor = on_behalf(actor, attempt)
    task = Task.objects.select_related("workspace", "run").get(pk=attempt.task_id)
    offered, now = clean_options(options), timezone.now()
    before, pk = newest(session, request_id)
    live = attempt.state in ("offered", "working") and attempt.epoch == task.epoch
    decision = Decision()
    if before is not None and before.attempt_id == attempt.pk and not _is_else(before, tool_call, offered, form):
        pk = before.pk
    elif before is not None and before.state == "open":
        pk, live = before.pk, False
        decision.add(outdated(before, now))
    else:
        kind = "permission" if form is None else FORM
        told = {**_told_before(attempt, tool_call), **tool_call}
        values = new_question(task, session, kind, request_id, told, offered, now, form=form)
        if live:
            decision.add(put(task, session, pk, values, now))
        else:
            decision.writes.append(Insert("clawgroups.Approval", pk, {**values, "state": "void", "why": "over"}))
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


def new_question(
    task: Task,
    session: Session,
    kind: str,
    request_id: Any,
    call: Mapping[str, Any],
    options: Sequence[Mapping[str, str]],
    now: datetime,
    *,
    form: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The columns of a question of a session's attempt, bound to exactly what it shows."""
    return {
        "workspace_id": session.workspace_id,
        "task_id": task.pk,
        "attempt_id": session.attempt_id,
        "session_id": session.pk,
        "epoch": session.attempt.epoch,
        "request_id": request_id,
        "tool_call": dict(call),
        "options": list(options),
        "kind": kind,
        "form": dict(form or {}),
        "digest": fingerprint(dict(call), list(options), dict(form or {})),
        "sameness": sameness(kind, call, options, form),
        "state": "open",
        "asked_at": now,
        "expires_at": after(now, timers_of(task.workspace).approval),
    }


def put(
    task: Task, session: Session, pk: UUID, values: Mapping[str, Any], now: datetime, *, instead: UUID | None = None
) -> Decision:
    """Put a question to people, as part of a change: its row, and what its task waits for. `instead` of another.

    One that a rule of the workspace answers is decided at once, and the agent told; nobody is asked.
    """
    attempt = session.attempt
    ruled = rule_on(pk, values, task, attempt, session) if values["kind"] == "permission" else Ruled()
    values = {**values, **ruled.values}
    others = [one for one in open_questions(attempt, pk) if one.pk != instead]
    if ruled.decision is not None:
        in_force = [Update(one.model, one.pk, {}, one.values) for one in ruled.expects]
        decision = Decision([Insert("clawgroups.Approval", pk, values), *in_force])
        decision.add(ruled.decision)
        if instead is not None:
            decision.add(by_questions(task, attempt, others, now))
        return decision
    values |= put_first(task, session, now, needed=values.get("needed", 1))
    writes: list[Write] = [Insert("clawgroups.Approval", pk, values)]
    if task.state in ("assigned", "working", "held"):
        writes.append(asked(task, [Approval(pk=pk, **values), *others], now))
    fact = ApprovalRequested(approval_id=pk, task_id=task.pk, attempt_id=attempt.pk)
    return Decision(writes, [Fact(task.workspace_id, fact)])


def put_anew(approval: Approval, told: Mapping[str, Any], now: datetime) -> Decision:
    """Put an agent's open request again as it is now, as part of a change. It is told nothing: it still waits."""
    session, task = approval.session, approval.task
    call = {**approval.tool_call, **told}
    values = new_question(task, session, approval.kind, approval.request_id, call, approval.options, now)
    decision = put(task, session, newest(session, approval.request_id)[1], values, now, instead=approval.pk)
    gone = Update("clawgroups.Approval", approval.pk, _changed(now), {"state": "open", "digest": approval.digest})
    return Decision([gone, *decision.writes], [_voided(approval), *decision.facts], decision.wakes)


def outdated(approval: Approval, now: datetime) -> Decision:
    """Void an open question of an agent that wants something else by now, and tell it “no”; as part of a change."""
    decision = closed(approval, _changed(now), rejection(approval), now)
    decision.facts.append(_voided(approval))
    return decision


def _changed(now: datetime) -> dict[str, Any]:
    return {"state": "void", "why": "changed", "decided_at": now}


def _voided(approval: Approval) -> Fact:
    event = ApprovalVoided(approval_id=approval.pk, task_id=approval.task_id, why="changed")
    return Fact(approval.workspace_id, event)


def newest(session: Session, request_id: Any) -> tuple[Approval | None, UUID]:
    """The last question that was put under this request id, if any, and the id of the row of one that comes after it.

    An agent that was restarted counts from the start again, in the same session.
    """
    first = uuid5(session.pk, f"{session.link}:{json.dumps(request_id)}")
    known = set(Approval.objects.filter(session=session).values_list("pk", flat=True))
    last, pk, number = None, first, 0
    while pk in known:
        last, number = pk, number + 1
        pk = uuid5(first, str(number))
    if last is None:
        return None, pk
    return Approval.objects.select_related("session", "task", "attempt").get(pk=last), pk


def _is_else(
    before: Approval, call: Mapping[str, Any], offered: Sequence[Mapping[str, str]], form: Mapping[str, Any] | None
) -> bool:
    return given_else(before.tool_call, call) or before.options != offered or before.form != dict(form or {})


def _told_before(attempt: Attempt, tool_call: Mapping[str, Any]) -> dict[str, Any]:
    """What the agent has told of this tool call: some ask about it by its id alone."""
    step = Step.objects.filter(attempt=attempt, tool_call_id=str(tool_call.get("toolCallId", ""))[:200]).first()
    return {} if step is None else {**step.detail, "title": step.title, "kind": step.kind, "status": step.status}


def clean_options(options: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The options as given, each with id, name and kind. Raises `Invalid` when none is usable.

    An id is sent back as it came, or not at all: one that is too long is no option.
    """
    cleaned: dict[str, dict[str, str]] = {}
    for option in options[:20]:
        option_id, kind = str(option.get("optionId", "")), str(option.get("kind", ""))
        if 0 < len(option_id) <= 200 and kind in KINDS and option_id not in cleaned:
            name = str(option.get("name", "") or kind.replace("_", " "))[:200]
            cleaned[option_id] = {"optionId": option_id, "name": name, "kind": kind}
    if not cleaned:
        raise Invalid("The agent offered no usable option.", code="no_options")
    return list(cleaned.values())


def request_form(
    session_id: UUID,
    *,
    request_id: Any,
    message: str,
    form: Mapping[str, Any],
    tool_call_id: str,
    actor: Actor,
) -> Future[Outcome]:
    """Store a form that an agent asks people to fill in, as a question like any other.

    Raises `Invalid` for a form that nobody could answer.
    """
    if len(json.dumps(form)) > TOTAL:
        raise Invalid("The form is too large.", code="no_form")
    fields_of(form)
    call = {"title": shrunk_text(message, 4000), **({"toolCallId": tool_call_id[:200]} if tool_call_id else {})}
    return request_approval(
        session_id,
        request_id=request_id,
        tool_call=call,
        options=FORM_OPTIONS,
        actor=actor,
        form=form,
    )
