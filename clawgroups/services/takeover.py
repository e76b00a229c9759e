"""A person takes a task over in the middle of a turn, works on it, and finishes or hands it back.

One change is the commit point (reliability.md 2.6): from there the agent's writes are refused by
the epoch. Only then its turn is stopped over the network; what still comes is kept, read-only.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import bus, commit
from clawgroups.core.actors import SYSTEM, Actor, Role
from clawgroups.core.changes import Change, Fact, Insert, Outcome, Update, Write
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_task
from clawgroups.core.task_events import TaskTakenOver
from clawgroups.core.timers import wait_for_holder
from clawgroups.models import Attempt, Member, Task
from clawgroups.permissions import get_task, require
from clawgroups.queries import asked_now
from clawgroups.services import draft_files
from clawgroups.services.asked_for import voided
from clawgroups.services.attempts import Decision, end_attempt, fence
from clawgroups.services.deadlines import timers_of, waits
from clawgroups.services.drafts import unmoved
from clawgroups.services.hands import check_seen, own_seat
from clawgroups.services.messages import message
from clawgroups.services.overdue import is_offered
from clawgroups.services.perform import TRIES
from clawgroups.services.review import person_attempt
from clawgroups.services.takeable import check_takeable
from clawgroups.services.texts import text_to_go_on_with
from clawgroups.services.workspaces import clean_text

BRING_IN = 0.5  # seconds
# How the reason of an attempt begins that somebody took over; their name follows, and why.
TAKEN = "taken over by"


def bring_in(task_id: UUID, *, actor: Actor) -> None:
    """Have what the agent has said so far stored before the task is taken over, so that all of it is in the draft.

    Waits for the process that holds the agent's socket, at most half a second; a lost hint loses nothing:
    what is stored later is kept beside the draft as said after the stop.
    """
    task = get_task(actor, task_id, "task.take_over")
    working = Attempt.objects.filter(task=task, state="working").values_list("member__agent_id", flat=True).first()
    if working is None:
        return
    token, stored = str(new_id()), threading.Event()
    leave = bus.subscribe(bus.stored_topic(token), lambda _topic, _value: stored.set())
    try:
        bus.wake(bus.store_topic(working), token)
        stored.wait(BRING_IN)
    finally:
        leave()


def take_over(
    task_id: UUID,
    *,
    actor: Actor,
    force: bool = False,
    reason: str = "",
    epoch: int | None = None,
    urgent: bool = False,
    operation: str = "",
) -> Future[Outcome]:
    """Hold a task oneself, with everything done so far. Answer: {"id", "attempt", "epoch"}.

    Raises `Conflict` when another person holds it, unless an admin forces (and says why), or it has lain with them
    too long; and where the task has moved on from the `epoch` that the actor saw. What is said while this is decided
    makes it a mismatch, to be decided again, unless it is `urgent`.
    """
    task = get_task(actor, task_id, "task.take_over")
    expects = require(actor, "task.take_over", task.workspace_id)
    seat, now = own_seat(actor, task), timezone.now()
    check_seen(task, epoch)
    check_takeable(task, seat, may_force=force and seat.role in (Role.OWNER, Role.ADMIN), now=now)
    how = _how(task, seat, now)
    reason = clean_text(reason, what="Reason", limit=500) if how == "forced" else ""
    why = f"{TAKEN} {seat.name}{reason and f': {reason}'}"
    decision = _hold(task, seat, now, why=why, urgent=urgent)
    decision.facts.insert(0, _taken(task, seat, decision, how, reason))
    if how in ("forced", "offered"):
        decision.take(_told_off(task, seat, now, reason))
    answer = {"id": str(task.pk), "attempt": str(opened(decision)), "epoch": task.epoch + 1}
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            tuple(decision.writes),
            tuple(decision.facts),
            operation,
            verb="task.take_over",
            answer=answer,
            wakes=tuple(decision.wakes),
        )
    )


class Insistent:
    """`take_over` as the verb of one request, decided up to `tries` times; from the third time on it is urgent.

    Neither an agent that is just being given the task, a frame at a time, nor one that never stops talking can keep
    people from it; what it said in the moment of the last decision alone stands beside the draft.
    """

    tries = 10

    def __init__(self) -> None:
        self._decided = 0

    def __call__(self, *args: Any, **given: Any) -> Future[Outcome]:
        self._decided += 1
        return take_over(*args, **given, urgent=self._decided >= TRIES)


def move_hold(
    task: Task,
    attempt: Attempt,
    to: Member,
    now: datetime,
    how: str,
    *,
    text: str | None = None,
    request: UUID | None = None,
) -> Decision:
    """Put a task that `attempt` holds by hand into another person's hands; part of a larger change.

    The holder's attempt ends superseded and one of the other opens, with the draft: `text` where it is given, else its
    newest version. The task's epoch rises; what was asked of the holder besides this `request` is void.
    """
    assert task.attempt_id == attempt.pk
    task.attempt = attempt
    decision = _hold(task, to, now, why=f"passed on to {to.name}", text=text, request=request)
    decision.facts.append(_taken(task, to, decision, how))
    return decision


def _hold(
    task: Task,
    seat: Member,
    now: datetime,
    *,
    why: str,
    text: str | None = None,
    request: UUID | None = None,
    urgent: bool = False,
) -> Decision:
    """Whoever had it in hand is stopped; the seat holds it, and goes on with the text so far."""
    decision, former = Decision(), task.attempt
    previous = former or task.attempts.order_by("number").last()
    if former is not None:
        # What is said or saved from here on comes too late for this decision, and is not lost by it.
        decision.writes += unmoved(former, urgent=urgent)
    if previous is not None and text is None:
        text = text_to_go_on_with(previous)
    if former is not None and former.ended_at is None:
        decision.add(end_attempt(former, AttemptVerb.SUPERSEDE, now, reason=why))
    made, draft = person_attempt(task, seat, text or "", now)
    values = {
        "state": move_task(task.state, TaskVerb.TAKE_OVER).value,
        "epoch": task.epoch + 1,
        "holder_id": seat.pk,
        "assignee_id": seat.pk,
        "attempt_id": made.pk,
        "reason": "",
        "paused": "",
        **waits(task, wait_for_holder(now, timers_of(task.workspace), seat.name), now),
    }
    decision.writes += [Update("clawgroups.Task", task.pk, values, fence(task)), made, draft]
    decision.add(draft_files.carried(task, previous, made.pk, now))
    decision.add(voided(task, now, but=request))
    return decision


def opened(decision: Decision) -> UUID:
    """The attempt that a decision opens."""
    inserts = (write for write in decision.writes if isinstance(write, Insert))
    return UUID(str(next(write.pk for write in inserts if write.model == "clawgroups.Attempt")))


def _taken(task: Task, seat: Member, decision: Decision, how: str, reason: str = "") -> Fact:
    fact = TaskTakenOver(
        task_id=task.pk,
        attempt_id=opened(decision),
        member_id=seat.pk,
        epoch=task.epoch + 1,
        superseded_id=task.attempt_id,
        how=how,
        former_id=task.holder_id,
        reason=reason,
    )
    return Fact(task.workspace_id, fact)


def _how(task: Task, seat: Member, now: datetime) -> str:
    if task.holder_id is None:
        return "accepted" if asked_now(task, now) == seat.pk else "taken"
    return "offered" if is_offered(task, task.attempt, now) else "forced"


def _told_off(task: Task, seat: Member, now: datetime, reason: str) -> tuple[list[Write], list[Fact]]:
    """The former holder is told in the chat."""
    assert task.holder is not None
    why = f": {reason.rstrip('.')}" if reason else ""
    body = f"@{task.holder.handle}: {seat.name} took “{task.title}” from you{why}. Your text is kept on its page."
    said, spoken = message(task.workspace_id, body=body, actor=SYSTEM)
    return [said], [spoken]
