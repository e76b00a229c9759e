"""Several people at one task: asking its holder for it, being given it, and passing it on.

A request is answered by the holder, an offer by whom it was made to; whoever made it may take it back. What is given
goes in one change: the holder's attempt ends, the other's begins with the draft, and the epoch fences what is late.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update
from clawgroups.core.control_events import ControlAsked
from clawgroups.core.durations import say_duration
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.timers import wait_for_holder
from clawgroups.models import Attempt, ControlRequest, Member, Task
from clawgroups.permissions import TEAM, get_request, get_task, require
from clawgroups.services.asked_for import answered, living
from clawgroups.services.attempts import Decision, fence
from clawgroups.services.deadlines import timers_of, waits
from clawgroups.services.drafts import clean_draft, keeps, typed_row, unsaved
from clawgroups.services.hands import held, in_hands, own_seat
from clawgroups.services.messages import message
from clawgroups.services.takeover import move_hold, opened
from clawgroups.services.watching import is_watching
from clawgroups.services.workspaces import clean_text

MAX_WORD = 500
SAID = {"granted": "granted", "refused": "refused", "withdrawn": "taken back", "void": "void: the task moved on"}


def ask_for(task_id: UUID, *, note: str = "", actor: Actor, operation: str = "") -> Future[Outcome]:
    """Ask the holder of a task for it. Answer: {"id", "holder"}. Raises `Conflict` where nobody can be asked."""
    task = get_task(actor, task_id, "control.ask")
    expects = require(actor, "control.ask", task.workspace_id)
    seat, now = own_seat(actor, task), timezone.now()
    if task.holder is None:
        raise Conflict(f"Nobody holds this task: {in_hands(task)}. You can take it over.", code="not_held")
    if task.holder_id == seat.pk:
        raise Conflict("You hold this task already.", code="already_holder", attempt=str(task.attempt_id))
    _check_new(task, seat, now)
    note = clean_text(note, what="Note", limit=MAX_WORD)
    why = f": “{note}”" if note else "."
    said = f"@{task.holder.handle}: {seat.name} asks for “{task.title}”{why}"
    decision, pk = _new(task, seat, "open", note, now)
    decision.writes += _seen_by_giver(task)
    _tell(decision, task, said)
    return _submit(
        task, actor, expects, decision, operation, verb="control.ask", id=str(pk), holder=task.holder.name, fenced=True
    )


def grant(request_id: UUID, *, text: str | None = None, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Give the task to who asks for it, or take it from who offers it. Answer: {"id", "holder", "attempt", "epoch"}.

    `text`: what stands in the holder's editor; it is saved first, and goes along.
    """
    request, task, attempt = _to_answer(request_id, actor)
    expects = require(actor, "control.answer", task.workspace_id)
    now, to = timezone.now(), request.member
    _check_person(task, to)
    decision = Decision()
    answered(decision, request, "granted", now)
    if request.state == "open":
        _tell(decision, task, f"@{to.handle}: {request.holder.name} gave you “{task.title}”. It is in your hands now.")
    else:
        text = None  # whoever takes what was offered has no part in its text
        _tell(decision, task, f"@{request.holder.handle}: {to.name} took “{task.title}”, which you offered.")
    return _pass(task, attempt, to, decision, actor, expects, text, now, operation, request=request.pk)


def refuse(request_id: UUID, *, word: str = "", actor: Actor, operation: str = "") -> Future[Outcome]:
    """“Not now”, with a word: the holder keeps the task, or who was offered it leaves it there."""
    request, task, attempt = _to_answer(request_id, actor)
    expects = require(actor, "control.answer", task.workspace_id)
    now, word = timezone.now(), clean_text(word, what="Word", limit=MAX_WORD)
    decision = Decision()
    answered(decision, request, "refused", now, word)
    why = f": “{word}”" if word else "."
    if request.state == "open":
        # They are there: the time until they are reminded runs anew.
        decision.writes += _stirred(task, attempt, now)
        _tell(decision, task, f"@{request.member.handle}: {request.holder.name} keeps “{task.title}” for now{why}")
    else:
        said = f"@{request.holder.handle}: {request.member.name} does not take “{task.title}”{why}"
        _tell(decision, task, said)
    return _submit(task, actor, expects, decision, operation, verb="control.refuse", id=str(request.pk))


def withdraw(request_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Take a request or an offer of one's own back."""
    request = get_request(actor, request_id, "control.ask")
    task = get_task(actor, request.task_id, "control.ask")
    expects = require(actor, "control.ask", task.workspace_id)
    mine = request.member_id if request.state == "open" else request.holder_id
    if own_seat(actor, task).pk != mine or request.state not in ("open", "offered"):
        raise _moved(request, task)
    decision = Decision()
    answered(decision, request, "withdrawn", timezone.now())
    return _submit(task, actor, expects, decision, operation, verb="control.withdraw", id=str(request.pk))


@keeps("text")
def pass_on(
    task_id: UUID, *, member_id: UUID, note: str = "", text: str | None = None, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Pass a held task on to another person: at once where they asked for it or watch it, else they are asked first.

    `text`: what stands in the editor; it is saved first. Answer: {"id", "state": "passed" or "offered", ...}.
    """
    task, attempt = held(task_id, actor, "control.answer")
    expects = require(actor, "control.answer", task.workspace_id)
    here = Member.objects.filter(pk=member_id, workspace_id=task.workspace_id, left_at=None)
    to, now = here.select_related("user").first(), timezone.now()
    if to is None or to.pk == task.holder_id:
        raise Invalid("Choose another person of the team.", field="member")
    _check_person(task, to)
    note = clean_text(note, what="Note", limit=MAX_WORD)
    why = f": “{note}”" if note else "."
    decision, request = Decision(), living(task).filter(member=to).first()
    if request is not None and request.state == "offered":
        raise Conflict(f"{to.name} was asked {_ago(request, now)} and has not answered yet.", code="already_offered")
    if request is not None or is_watching(task, to, now):
        if request is not None:
            answered(decision, request, "granted", now)
        giver = attempt.member.name
        _tell(decision, task, f"@{to.handle}: {giver} passed “{task.title}” on to you{why} It is in your hands now.")
        pk = request.pk if request else None
        return _pass(task, attempt, to, decision, actor, expects, text, now, operation, request=pk)
    if text is not None:
        decision.writes += typed_row(attempt, clean_draft(text), actor)
    decision.writes += _stirred(task, attempt, now)
    offer, pk = _new(task, to, "offered", note, now)
    decision.add(offer)
    _tell(decision, task, f"@{to.handle}: {attempt.member.name} would pass “{task.title}” on to you{why}")
    said: dict[str, Any] = {"id": str(pk), "state": "offered", "holder": attempt.member.name}
    return _submit(task, actor, expects, decision, operation, verb="control.offer", **said)


def _pass(
    task: Task,
    attempt: Attempt,
    to: Member,
    decision: Decision,
    actor: Actor,
    expects: Sequence[Expect],
    text: str | None,
    now: datetime,
    operation: str,
    *,
    request: UUID | None,
) -> Future[Outcome]:
    if text is not None:
        text = clean_draft(text)
        decision.writes += typed_row(attempt, text, actor)
    # Whoever lost the right to hold tasks meanwhile does not get this one.
    expects = (*expects, Expect("clawgroups.Member", to.pk, {"auth_version": to.auth_version, "left_at": None}))
    moved = move_hold(task, attempt, to, now, "passed", text=text, request=request)
    decision.add(moved)
    said: dict[str, Any] = {"id": str(task.pk), "state": "passed", "holder": to.name}
    said |= {"attempt": str(opened(moved)), "epoch": task.epoch + 1}
    return _submit(task, actor, expects, decision, operation, verb="control.pass", **said)


def _to_answer(request_id: UUID, actor: Actor) -> tuple[ControlRequest, Task, Attempt]:
    """A living request that is the actor's to answer. Raises `Conflict` saying what became of it, and whose it is."""
    request = get_request(actor, request_id, "control.answer")
    task = get_task(actor, request.task_id, "control.answer")
    seat = own_seat(actor, task)
    if request.state not in ("open", "offered") or task.holder_id != request.holder_id or task.attempt_id is None:
        raise _moved(request, task)
    theirs = request.holder if request.state == "open" else request.member
    if seat.pk != theirs.pk:
        raise Conflict(f"This is for {theirs.name} to answer.", code="not_yours", holder=request.holder.name)
    return request, task, Attempt.objects.select_related("member").get(pk=task.attempt_id)


def _moved(request: ControlRequest, task: Task) -> Conflict:
    became = SAID.get(request.state, "for somebody else to answer")
    return Conflict(
        f"This is {became}; {in_hands(task)}.",
        code="not_open",
        state=request.state,
        holder=task.holder.name if task.holder else None,
    )


def _check_new(task: Task, seat: Member, now: datetime) -> None:
    request = living(task).filter(member=seat).first()
    if request is None:
        return
    who = request.holder.name
    if request.state == "offered":
        raise Conflict(f"{who} offers it to you: take it.", code="already_offered", id=str(request.pk))
    raise Conflict(
        f"You asked {who} for it {_ago(request, now)}; there is no answer yet.",
        code="already_asked",
        id=str(request.pk),
    )


def _check_person(task: Task, to: Member) -> None:
    fit = to.user_id is not None and to.left_at is None and to.role in TEAM
    if not fit:
        raise Invalid(
            f"{to.name} cannot hold a task here ({to.role}). Choose a person of the team; an agent gets it by a "
            "hand-back.",
            field="member",
        )


def _ago(request: ControlRequest, now: datetime) -> str:
    return f"{say_duration((now - request.asked_at).total_seconds())} ago"


def _new(task: Task, member: Member, state: str, note: str, now: datetime) -> tuple[Decision, UUID]:
    assert task.holder_id is not None
    pk = new_id()
    values = {
        "workspace_id": task.workspace_id,
        "task_id": task.pk,
        "member_id": member.pk,
        "holder_id": task.holder_id,
        "note": note,
        "state": state,
        "asked_at": now,
    }
    asked = ControlAsked(
        request_id=pk,
        task_id=task.pk,
        member_id=member.pk,
        holder_id=task.holder_id,
        how="asked" if state == "open" else "offered",
    )
    return Decision([Insert("clawgroups.ControlRequest", pk, values)], [Fact(task.workspace_id, asked)]), pk


def _stirred(task: Task, attempt: Attempt, now: datetime) -> list[Update]:
    """An act of the holder: from now on the time until they are reminded runs anew."""
    waiting = waits(task, wait_for_holder(now, timers_of(task.workspace), attempt.member.name), now)
    return [
        Update("clawgroups.Attempt", attempt.pk, {"progress_at": now, "quiet_since": None}, unsaved(attempt)),
        Update("clawgroups.Task", task.pk, waiting, fence(task)),
    ]


def _seen_by_giver(task: Task) -> list[Update]:
    """Whoever gives the task out of their hands at this moment decides again, and finds the request.

    Not the holder's doing, so that no clock moves by it.
    """
    assert task.attempt_id is not None
    attempt = Attempt.objects.get(pk=task.attempt_id)
    moved = (attempt.progress_at or attempt.offered_at) + timedelta(microseconds=1)
    return [Update("clawgroups.Attempt", attempt.pk, {"progress_at": moved}, unsaved(attempt))]


def _tell(decision: Decision, task: Task, body: str) -> None:
    said, spoken = message(task.workspace_id, body=body, actor=SYSTEM)
    decision.writes.append(said)
    decision.facts.append(Fact(spoken.workspace_id, spoken.event, SYSTEM))


def _submit(
    task: Task,
    actor: Actor,
    expects: Sequence[Expect],
    decision: Decision,
    operation: str,
    *,
    verb: str,
    fenced: bool = False,
    **answer: Any,
) -> Future[Outcome]:
    # A request that is new must find the task in the hands that it was made to.
    here = (Expect("clawgroups.Task", task.pk, fence(task)),) if fenced else ()
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (*expects, *here),
            tuple(decision.writes),
            tuple(decision.facts),
            operation,
            verb=verb,
            answer=answer,
            wakes=tuple(decision.wakes),
        )
    )
