"""Verbs that put an agent's question to people: a permission it asks for, or a form it wants filled in."""

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
from clawgroups.core.actors import Actor
from clawgroups.core.answer_form import fields_of
from clawgroups.core.approval_events import ApprovalRequested
from clawgroups.core.changes import Change, Fact, Insert, Outcome, Update
from clawgroups.core.errors import Invalid, NotFound
from clawgroups.core.sameness import sameness
from clawgroups.core.shrinking import TOTAL, shrunk_text
from clawgroups.core.timers import after, wait_for_answer, wait_for_approval
from clawgroups.models import Approval, Attempt, Session, Step, Task
from clawgroups.services.attempts import Decision, fence
from clawgroups.services.deadlines import name_of, timers_of, waits
from clawgroups.services.hands import on_behalf
from clawgroups.services.late import refusal_of
from clawgroups.services.ruling import Ruled, rule_on

KINDS = ("allow_once", "allow_always", "reject_once", "reject_always")
# A form is answered or declined, in the words of ACP.
FORM = "form"
ACCEPT = "accept"
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

    `form`: the schema of what it wants to be told, where it asks for more than a yes or no. Answer: {"id", "open"};
    `open` is False when the attempt is over, and the agent is told so (-32010). One that a rule of the workspace
    answers is decided at once, and the agent told; nobody is asked.
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
    pk = question_id(session, request_id)
    live = attempt.state in ("offered", "working") and attempt.epoch == task.epoch
    expires_at = after(now, timers_of(task.workspace).approval)
    kind = "permission" if form is None else FORM
    values: dict[str, Any] = {
        "workspace_id": session.workspace_id,
        "task_id": task.pk,
        "attempt_id": attempt.pk,
        "session_id": session.pk,
        "epoch": attempt.epoch,
        "request_id": request_id,
        "tool_call": tool_call,
        "options": offered,
        "kind": kind,
        "sameness": sameness(kind, tool_call, offered, form),
        "form": dict(form or {}),
        "digest": hashlib.sha256(json.dumps(tool_call, sort_keys=True, default=str).encode()).hexdigest(),
        "state": "open" if live else "void",
        "asked_at": now,
        "expires_at": expires_at,
    }
    decision, ruled = Decision(), Ruled()
    if not Approval.objects.filter(pk=pk).exists():
        if live and form is None:
            ruled = rule_on(pk, values, task, attempt, session)
            values |= ruled.values
        decision.writes.append(Insert("clawgroups.Approval", pk, values))
        if ruled.decision is not None:
            decision.add(ruled.decision)
        elif live:
            fact = ApprovalRequested(approval_id=pk, task_id=task.pk, attempt_id=attempt.pk)
            decision.facts.append(Fact(task.workspace_id, fact))
            decision.writes.append(asked(task, [Approval(pk=pk, **values), *open_questions(attempt, pk)], now))
        else:
            decision.add(refusal_of(session, task, request_id, now))
    return commit.submit(
        Change(
            actor,
            session.workspace_id,
            ruled.expects,
            tuple(decision.writes),
            tuple(decision.facts),
            verb="approval.request",
            answer={"id": str(pk), "open": live},
            wakes=tuple(decision.wakes),
        )
    )


def question_id(session: Session, request_id: Any) -> UUID:
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
