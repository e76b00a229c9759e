"""A person takes a task over in the middle of a turn, works on it, and finishes or hands it back.

One change is the commit point (reliability.md 2.6): from there the agent's writes are refused by
the epoch. Only then its turn is stopped over the network; what still comes is kept, read-only.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import bus, commit
from clawgroups.core.actors import Actor, Role
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_attempt, move_task
from clawgroups.core.retries import MAX_TRIES
from clawgroups.core.task_events import ArtifactAdded, DraftSaved, TaskHandedBack, TaskSubmitted, TaskTakenOver
from clawgroups.core.timers import wait_for_coordinator, wait_for_holder, wait_for_review
from clawgroups.models import Attempt, Draft, Member, Task
from clawgroups.permissions import get_task, require, seat_of
from clawgroups.services.attempts import Decision, end_attempt, fence
from clawgroups.services.briefs import handback_brief, partial_text
from clawgroups.services.deadlines import timers_of, waits
from clawgroups.services.files import StoredFile
from clawgroups.services.overdue import is_offered
from clawgroups.services.review import person_attempt
from clawgroups.services.runs import artifact
from clawgroups.services.workspaces import clean_text

MAX_DRAFT = 1_000_000
BRING_IN = 0.5  # seconds


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


def take_over(task_id: UUID, *, actor: Actor, force: bool = False, operation: str = "") -> Future[Outcome]:
    """Hold a task oneself, with everything done so far. Answer: {"id", "attempt", "epoch"}.

    Raises `Conflict` when another person holds it, unless an admin forces, or it has lain with them too long.
    """
    task = get_task(actor, task_id, "task.take_over")
    expects = require(actor, "task.take_over", task.workspace_id)
    seat = _own_seat(actor, task)
    if task.holder_id == seat.pk:
        raise Conflict("You hold this task already.", code="already_holder", attempt=str(task.attempt_id))
    may_force = force and seat.role in (Role.OWNER, Role.ADMIN)
    if task.holder is not None and not may_force and not is_offered(task, task.attempt, timezone.now()):
        raise Conflict(
            f"{task.holder.name} holds this task; ask them to hand it over.",
            code="held",
            holder=task.holder.name,
        )
    decision, attempt = _hold(task, seat)
    fact = TaskTakenOver(
        task_id=task.pk,
        attempt_id=attempt,
        member_id=seat.pk,
        epoch=task.epoch + 1,
        superseded_id=task.attempt_id,
    )
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            tuple(decision.writes),
            (Fact(task.workspace_id, fact), *decision.facts),
            operation,
            verb="task.take_over",
            answer={"id": str(task.pk), "attempt": str(attempt), "epoch": task.epoch + 1},
            wakes=tuple(decision.wakes),
        )
    )


def _hold(task: Task, seat: Member) -> tuple[Decision, UUID]:
    now = timezone.now()
    decision, text = Decision(), ""
    if task.attempt is not None:
        text = _text_so_far(task.attempt)
        if task.attempt.ended_at is None:
            decision.add(end_attempt(task.attempt, AttemptVerb.SUPERSEDE, now, reason=f"taken over by {seat.name}"))
    elif previous := task.attempts.last():
        text = _text_so_far(previous)
    made, draft = person_attempt(task, seat, text, now)
    values = {
        "state": move_task(task.state, TaskVerb.TAKE_OVER).value,
        "epoch": task.epoch + 1,
        "holder_id": seat.pk,
        "assignee_id": seat.pk,
        "attempt_id": made.pk,
        "reason": "",
        **waits(task, wait_for_holder(now, timers_of(task.workspace), seat.name), now),
    }
    decision.writes += [Update("clawgroups.Task", task.pk, values, fence(task)), made, draft]
    return decision, made.pk


def _text_so_far(attempt: Attempt) -> str:
    draft = Draft.objects.filter(attempt=attempt).last()
    return draft.text if draft else attempt.result or partial_text(attempt)


def save_draft(task_id: UUID, *, text: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Save a version of the draft. Answer: {"version"}. Only the holder may."""
    task, attempt = _held(task_id, actor)
    expects = require(actor, "task.hold", task.workspace_id)
    draft = _draft_row(attempt, _clean_draft(text), actor)
    version = draft.values["version"]
    now = timezone.now()
    waiting = waits(task, wait_for_holder(now, timers_of(task.workspace), attempt.member.name), now)
    fact = DraftSaved(task_id=task.pk, attempt_id=attempt.pk, version=version)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (
                Update("clawgroups.Attempt", attempt.pk, {"progress_at": now, "quiet_since": None}, _unsaved(attempt)),
                # Its holder is at it: from now on the time until they are reminded runs anew.
                Update("clawgroups.Task", task.pk, waiting, fence(task)),
                draft,
            ),
            (Fact(task.workspace_id, fact),),
            operation,
            verb="draft.save",
            answer={"version": version},
        )
    )


def _clean_draft(text: str) -> str:
    text = text.replace("\x00", "")
    if len(text) > MAX_DRAFT:
        raise Invalid(f"A draft holds at most {MAX_DRAFT} characters.", field="text")
    return text


def _unsaved(attempt: Attempt) -> dict[str, Any]:
    """That nobody has saved since the attempt was read: of two savers at once, one decides again."""
    return {"state": "working", "progress_at": attempt.progress_at}


def _draft_row(attempt: Attempt, text: str, actor: Actor) -> Insert:
    """The next version of an attempt's draft; its change expects `_unsaved`."""
    last = Draft.objects.filter(attempt=attempt).last()
    values = {
        "attempt_id": attempt.pk,
        "version": (last.version if last else 0) + 1,
        "text": text,
        "actor": actor.as_json(),
        "saved_at": timezone.now(),
    }
    return Insert("clawgroups.Draft", new_id(), values)


def submit_held(
    task_id: UUID, *, result: str, actor: Actor, files: Sequence[StoredFile] = (), operation: str = ""
) -> Future[Outcome]:
    """Finish a held task by hand: it goes through the same review as an agent's result."""
    task, attempt = _held(task_id, actor)
    expects = require(actor, "task.hold", task.workspace_id)
    result = clean_text(result, what="Result", limit=MAX_DRAFT, required=not files)
    now = timezone.now()
    submitted = {
        "state": move_attempt(attempt.state, AttemptVerb.SUBMIT).value,
        "result": result,
        "submitted_at": now,
        "progress_at": now,
    }
    values = {
        "state": move_task(task.state, TaskVerb.SUBMIT).value,
        "holder_id": None,
        **waits(task, wait_for_review(now, timers_of(task.workspace)), now),
    }
    inserts, facts = [], []
    for stored in files:
        row = artifact(
            task.workspace_id,
            task.run_id,
            stored,
            kind="result",
            actor=actor,
            task_id=task.pk,
            attempt_id=attempt.pk,
        )
        inserts.append(row)
        added = ArtifactAdded(artifact_id=row.pk, run_id=task.run_id, task_id=task.pk, name=stored.name, kind="result")
        facts.append(Fact(task.workspace_id, added))
    facts.append(Fact(task.workspace_id, TaskSubmitted(task_id=task.pk, attempt_id=attempt.pk)))
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (
                Update("clawgroups.Attempt", attempt.pk, submitted, {"state": attempt.state}),
                Update("clawgroups.Task", task.pk, values, fence(task)),
                *inserts,
            ),
            tuple(facts),
            operation,
            verb="task.submit",
            answer={"id": str(task.pk), "state": "in_review"},
        )
    )


def hand_back(
    task_id: UUID, *, actor: Actor, note: str = "", text: str | None = None, operation: str = ""
) -> Future[Outcome]:
    """Give a held task back with a note; what the person changed becomes the next one's brief.

    `text` is what stands in the editor; it goes along in this very change, so that a save that is still under
    way cannot put an older text in its place. Without it the newest saved version goes along.
    """
    task, attempt = _held(task_id, actor)
    return _give(task, attempt, actor, note, None, text, operation)


def reassign_task(
    task_id: UUID, *, member_id: UUID, actor: Actor, note: str = "", text: str | None = None, operation: str = ""
) -> Future[Outcome]:
    """Give a held task to a certain agent, with notes, draft (as in `hand_back`) and dead ends."""
    task, attempt = _held(task_id, actor)
    member = Member.objects.filter(pk=member_id, workspace_id=task.workspace_id, left_at=None).first()
    if member is None or member.agent_id is None:
        raise Invalid("Choose an agent that is a member here.", field="member")
    return _give(task, attempt, actor, note, member, text, operation)


def _give(
    task: Task,
    attempt: Attempt,
    actor: Actor,
    note: str,
    member: Member | None,
    text: str | None,
    operation: str,
) -> Future[Outcome]:
    expects = require(actor, "task.hold", task.workspace_id)
    note = clean_text(note, what="Note", limit=5000)
    now, seat = timezone.now(), attempt.member
    decision = end_attempt(attempt, AttemptVerb.SUPERSEDE, now, reason="handed back")
    if text is not None:
        text = _clean_draft(text)
        decision.writes.append(_draft_row(attempt, text, actor))
        expects = (*expects, Expect("clawgroups.Attempt", attempt.pk, _unsaved(attempt)))
    brief = {
        **{k: v for k, v in task.brief.items() if k not in ("feedback", "acknowledged")},
        "handback": handback_brief(attempt, note, seat.name, text),
        "previous": str(attempt.pk),
        "preferred": str(member.pk if member else _former_agent(task) or ""),
    }
    if member is not None:
        brief["only"] = str(member.pk)
    epoch = task.epoch + 1
    values = {
        "state": move_task(task.state, TaskVerb.HAND_BACK).value,
        "epoch": epoch,
        "holder_id": None,
        "assignee_id": None,
        "attempt_id": None,
        "brief": brief,
        "not_before": None,
        "tries": min(max(task.tries, 1), MAX_TRIES) - 1,
        **waits(task, wait_for_coordinator(now, timers_of(task.workspace)), now),
    }
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (*decision.writes, Update("clawgroups.Task", task.pk, values, fence(task))),
            (
                *decision.facts,
                Fact(task.workspace_id, TaskHandedBack(task_id=task.pk, member_id=seat.pk, epoch=epoch)),
            ),
            operation,
            verb="task.hand_back",
            answer={"id": str(task.pk), "state": "ready", "epoch": epoch},
            wakes=tuple(decision.wakes),
        )
    )


def _former_agent(task: Task) -> UUID | None:
    former = task.attempts.filter(member__agent__isnull=False).last()
    return former.member_id if former else None


def _own_seat(actor: Actor, task: Task) -> Member:
    seat = seat_of(actor, task.workspace_id)
    if seat is None or seat.user_id is None:
        raise Forbidden("Only a person can hold a task.")
    return seat


def _held(task_id: UUID, actor: Actor) -> tuple[Task, Attempt]:
    task = get_task(actor, task_id, "task.hold")
    seat = _own_seat(actor, task)
    if task.holder_id != seat.pk or task.attempt is None:
        holder = f"{task.holder.name} holds it" if task.holder else "nobody holds it"
        raise Conflict(f"You do not hold this task; {holder}. Take it over first.", code="not_holder")
    return task, Attempt.objects.select_related("member").get(pk=task.attempt.pk)
