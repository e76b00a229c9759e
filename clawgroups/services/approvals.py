"""Verbs on approvals: the answers to what agents ask, and what ends without one."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.answer_form import Posted, answer_of
from clawgroups.core.approval_events import ApprovalDecided, ApprovalEvent, ApprovalExpired, ApprovalVoided
from clawgroups.core.changes import Change, Expect, Fact, Outcome, one_of
from clawgroups.core.errors import Conflict, Forbidden, Invalid, NotFound
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.models import Approval, Member, Session, Task
from clawgroups.permissions import get_approval, require, seat_of
from clawgroups.services.attempts import Decision, cancelled
from clawgroups.services.keeping import Kept, keep
from clawgroups.services.open_asks import ACCEPT, FORM, by_questions, chosen, closed, open_questions, rejection
from clawgroups.services.putting import newest
from clawgroups.services.voting import agree
from clawgroups.services.workspaces import clean_text

ANSWER = "answer"  # the kind of what answers a question
MAX_ANSWER = 20_000
CHANGED = "The agent wants something else by now."


def decide_approval(
    approval_id: UUID,
    *,
    option_id: str = "",
    text: str = "",
    answers: Posted | None = None,
    digest: str = "",
    actor: Actor,
    operation: str = "",
) -> Future[Outcome]:
    """Answer an agent's question with one of the options it offered. The first valid answer wins.

    A question of kind "question" takes `text` as well, with a choice or without one; a form takes `answers`: the values
    for its fields, by their names. Where several must agree, each who allows it agrees, and the last of them decides.
    `digest`: that of what was looked at; another one is refused (code "changed").
    Raises `Invalid` with the field that does not fit, `Conflict` saying what became of a question that is over.
    """
    approval = get_approval(actor, approval_id, "approval.decide")
    expects = require(actor, "approval.decide", approval.workspace_id)
    seat = _person(actor, approval)
    option = next((o for o in approval.options if o["optionId"] == option_id), None)
    answer = _clean_answer(approval, option, text)
    if option is None and (option_id or not answer):
        raise Invalid("That is not one of the options the agent offered.", field="option")
    _check_open(approval, digest)
    filled = answer_of(approval.form, answers or {}) if approval.kind == FORM and option_id == ACCEPT else {}
    expects = (*expects, *_still_asked(approval))
    now = timezone.now()
    kind = option["kind"] if option is not None else ANSWER
    votes = Decision()
    if approval.needed > 1 and kind.startswith("allow"):
        votes, have = agree(approval, seat, option_id, now)
        if have < approval.needed:
            return _submit(approval, votes, actor, expects, operation, state="open", have=have, needed=approval.needed)
    votes.add(_answered(approval, option, option_id, seat, now, answer=answer, filled=filled))
    _tell(votes, approval, ApprovalDecided(approval_id=approval.pk, task_id=approval.task_id, kind=kind))
    return _submit(approval, votes, actor, expects, operation, state="decided")


def _answered(
    approval: Approval, option: Mapping[str, str] | None, option_id: str, seat: Member, now: datetime, **said: Any
) -> Decision:
    """A person's answer, told to the agent; an "always" is kept as a rule of ours."""
    kept = keep(approval, option, seat, now) if option is not None else Kept(option_id)
    values = {
        "state": "decided",
        "option_id": option_id,
        "option_kind": option["kind"] if option is not None else ANSWER,
        "sent_option": kept.option_id if kept.option_id != option_id else "",
        "decided_by_id": seat.pk,
        "decided_at": now,
        **said,
    }
    decision = closed(approval, values, chosen(approval, kept.option_id, said["filled"]), now)
    decision.add(kept.decision)
    return decision


def _person(actor: Actor, approval: Approval) -> Member:
    """Who answers. Raises `Forbidden` for everybody but a person, whatever the table of rights says."""
    seat = seat_of(actor, approval.workspace_id)
    if seat is None or seat.user_id is None or seat.user_id != actor.user_id:
        raise Forbidden("Only a person may answer what an agent asks.", action="approval.decide")
    return seat


def _check_open(approval: Approval, digest: str) -> None:
    """That it is still asked, and is what was looked at. Raises `Conflict`."""
    if approval.state != "open":
        raise _over(approval)
    if digest and digest != approval.digest:
        said = f"{CHANGED} Look at its question as it is now; nothing was answered."
        raise Conflict(said, code="changed", state="open")


def _over(approval: Approval) -> Conflict:
    """What became of a question that somebody answers too late."""
    code, holder = "not_open", approval.task.holder
    said = f"This question is {approval.state} already."
    if approval.state == "decided":
        said = f"{_by(approval)} answered this already{_words(approval)}."
    elif approval.state == "expired":
        said = "Nobody answered in time; the agent was told “no”."
    elif approval.why == "changed":
        code, said = "changed", f"{CHANGED} What you looked at is void; nothing was answered."
    elif approval.why == "withdrawn":
        said = "The agent took its question back; there is nothing to answer any more."
    elif holder is not None:
        said = f"{holder.name} took the task over; what was asked before is not decided any more."
    return Conflict(said, code=code, state=approval.state, why=approval.why)


def _by(approval: Approval) -> str:
    return approval.decided_by.name if approval.decided_by is not None else "A rule of this workspace"


def _words(approval: Approval) -> str:
    """What was chosen, in the words of its option."""
    name = next((o.get("name") for o in approval.options if o["optionId"] == approval.option_id), "")
    return f": “{name}”" if name else ""


def _clean_answer(approval: Approval, option: Mapping[str, str] | None, text: str) -> str:
    """The words of the answer to a question. Raises `Invalid` where none are taken, or none are given."""
    given = clean_text(text, what="Answer", limit=MAX_ANSWER)
    if approval.kind != "question":
        if given:
            raise Invalid("This agent asks for permission: choose one of its options.", field="text")
        return ""
    if option is None:
        return clean_text(given, what="Answer", limit=MAX_ANSWER, required=True)
    return f"{option['name']}: {given}" if given else option["name"]


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
    approval, now = _one(approval_id), at or timezone.now()
    decision = closed(approval, {"state": "expired", "decided_at": now}, rejection(approval), now)
    _tell(decision, approval, ApprovalExpired(approval_id=approval.pk, task_id=approval.task_id))
    return _submit(approval, decision, SYSTEM, state="expired")


def withdraw_approval(session_id: UUID, *, request_id: Any, actor: Actor) -> Future[Outcome]:
    """The agent takes its question back; the request itself is answered by the gateway (-32800)."""
    session = Session.objects.filter(pk=session_id, agent=actor.agent_id).first()
    approval = None if session is None else newest(session, request_id)[0]
    if approval is None:
        raise NotFound("There is no such question.")
    return _void(approval, "withdrawn", None, actor)


def void_approval(approval_id: UUID) -> Future[Outcome]:
    """Nobody waits for this answer any more: its attempt ended at the moment at which the question came in."""
    approval = _one(approval_id)
    return _void(approval, "over", cancelled(approval), SYSTEM)


def _void(approval: Approval, why: str, result: dict[str, Any] | None, actor: Actor) -> Future[Outcome]:
    now = timezone.now()
    decision = closed(approval, {"state": "void", "why": why, "decided_at": now}, result, now)
    _tell(decision, approval, ApprovalVoided(approval_id=approval.pk, task_id=approval.task_id, why=why))
    return _submit(approval, decision, actor, state="void")


def _one(approval_id: UUID) -> Approval:
    return Approval.objects.select_related("session", "task", "attempt").get(pk=approval_id)


def _tell(decision: Decision, approval: Approval, event: ApprovalEvent) -> None:
    decision.facts.append(Fact(approval.workspace_id, event))


def _submit(
    approval: Approval,
    decision: Decision,
    actor: Actor,
    expects: tuple[Expect, ...] = (),
    operation: str = "",
    **answer: Any,
) -> Future[Outcome]:
    return commit.submit(
        Change(
            actor,
            approval.workspace_id,
            expects,
            tuple(decision.writes),
            tuple(decision.facts),
            operation,
            verb="approval.settle",
            answer={"id": str(approval.pk), **answer},
            wakes=tuple(decision.wakes),
        )
    )


def look_again(task_id: UUID, now: datetime) -> Future[Outcome]:
    """Make a task wait as its open questions ask for: one that was put and one that was answered can cross."""
    task = Task.objects.select_related("workspace", "run", "assignee", "attempt").get(pk=task_id)
    decision = Decision()
    if task.attempt is not None:
        decision = by_questions(task, task.attempt, open_questions(task.attempt, None), now)
    return commit.submit(Change(SYSTEM, task.workspace_id, writes=tuple(decision.writes), verb="approval.look_again"))
