"""Results that come under an epoch that is over: kept as evidence, told to their writer, taken up by a new attempt.

Nothing of them is applied by itself (reliability.md 2.4). Adopting one opens another attempt of the same
member under a new epoch, which is reviewed like any other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from agents.ids import new_id
from agents.models import Connection
from agents.protocol import version
from clawgroups import bus, commit
from clawgroups.core.acceptance import Verdict
from clawgroups.core.actors import SYSTEM, Actor, ActorKind
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update, one_of
from clawgroups.core.errors import Conflict, NotFound, StaleAttempt
from clawgroups.core.lifecycle import AttemptState, AttemptVerb, TaskState, TaskVerb, move_task
from clawgroups.core.task_events import ArtifactAdded, LateResultAdopted, LateResultKept, StopConfirmed
from clawgroups.core.timers import wait_for_review
from clawgroups.models import Artifact, Attempt, Command, Session, Task
from clawgroups.permissions import get_task, require
from clawgroups.planned import Planned
from clawgroups.queries import late_files
from clawgroups.services.attempts import Decision, check_unpaused, end_attempt, fence
from clawgroups.services.deadlines import timers_of, waits

KEPT_RESULT = "late_result"
KEPT_FILE = "late_file"
TOLD = "stale"  # the purpose of the frame that tells a connector
COUNTED = (AttemptState.SUBMITTED, AttemptState.ACCEPTED)


# Kept


def keep(command: Command, task: Task, link: UUID, *, stop_reason: str, text: str) -> Decision:
    """A turn has ended whose attempt is over: its stop is confirmed, and a result is kept beside the task.

    The writer of a result is told, once, that it was not applied. A text that was submitted, accepted or kept
    before with the same files is a plain duplicate: nothing new.
    """
    attempt = command.attempt
    assert attempt is not None
    values: dict[str, Any] = {"stop": "done"}
    decision = confirmed(attempt)
    now = timezone.now()
    if command.purpose == "work" and stop_reason == "end_turn" and not _is_known(attempt, text):
        is_result = bool(text.strip()) or Artifact.objects.filter(attempt=attempt, kind="late").exists()
        if is_result:
            values |= {"late_result": text, "late_at": now}
            fact = LateResultKept(task_id=attempt.task_id, attempt_id=attempt.pk)
            decision.facts.append(Fact(attempt.workspace_id, fact))
        decision.add(_tell(command, task, link, KEPT_RESULT if is_result else None, now))
    decision.writes.append(Update("clawgroups.Attempt", attempt.pk, values))
    return decision


def confirmed(attempt: Attempt) -> Decision:
    """What is told once the turn of a stopped attempt is over; nothing where that was told before."""
    if attempt.stop not in ("asked", "unconfirmed"):
        return Decision()
    fact = StopConfirmed(task_id=attempt.task_id, attempt_id=attempt.pk)
    return Decision([], [Fact(attempt.workspace_id, fact)])


def _is_known(attempt: Attempt, text: str) -> bool:
    given = _digest(text, late_files(attempt))
    counted = Q(state__in=[state.value for state in COUNTED]) | Q(late_at__isnull=False) | Q(pk=attempt.pk)
    others = list(Attempt.objects.filter(counted, task_id=attempt.task_id))
    return any(given in digests for digests in digests_of(others).values())


def digests_of(attempts: Sequence[Attempt]) -> dict[UUID, set[str]]:
    """What attempts have given so far, as hashes of text and files: their results, and what came late. In one query."""
    rows = Artifact.objects.filter(attempt__in=[one.pk for one in attempts], kind__in=["result", "late"])
    files: dict[UUID, list[Artifact]] = {}
    for row in rows.order_by("created_at", "pk") if attempts else ():
        assert row.attempt_id is not None
        files.setdefault(row.attempt_id, []).append(row)
    return {one.pk: set(_digests(one, files.get(one.pk, []))) for one in attempts}


def _digests(attempt: Attempt, files: Sequence[Artifact]) -> Iterator[str]:
    if attempt.submitted_at is not None:
        # Of each name the newest, as in `queries.newest_files`.
        results = {row.name: row for row in files if row.kind == "result"}
        yield _digest(attempt.result, results.values())
    if attempt.late_at is not None:
        yield _digest(attempt.late_result, {row.name: row for row in files}.values())


def _digest(text: str, files: Iterable[Artifact]) -> str:
    said = [text.strip(), sorted((row.name, row.sha256) for row in files)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


# Told


def stale(task: Task, message: str, *, kept_as: str | None = None, **fields: Any) -> StaleAttempt:
    """The refusal of a write under an epoch that is over, for doors that answer errors."""
    return StaleAttempt(message, current_epoch=task.epoch, kept_as=kept_as, **fields)


def refusal_of(session: Session, task: Task, request_id: Any, now: datetime) -> Decision:
    """The answer to a request of a session whose attempt is over; a row, so that it survives the socket."""
    error = {
        "code": version.STALE_ATTEMPT,
        "message": f"This attempt is over: the task is at epoch {task.epoch} now.",
        "data": {"current_epoch": task.epoch, "kept_as": None},
    }
    columns = {
        "agent_id": session.agent_id,
        "session_id": session.pk,
        "attempt_id": session.attempt_id,
        "epoch": session.attempt.epoch,
        "purpose": "reply",
        "params": {"id": request_id, "error": error},
        "link": session.link,
        "created_at": now,
    }
    return Decision([Insert("clawgroups.Command", new_id(), columns)], [], [bus.agent_topic(session.agent_id)])


def _tell(command: Command, task: Task, link: UUID, kept_as: str | None, now: datetime) -> Decision:
    """The frame that tells a connector that a result came too late. Plain sockets are told nothing more."""
    session = command.session
    told = Connection.objects.filter(pk=link).values_list("extensions", flat=True).first() or []
    if session is None or version.EXTENSION_LINK not in told:
        return Decision()
    params = {
        "session": session.acp_id,
        "request": str(command.pk),
        "current_epoch": task.epoch,
        "kept_as": kept_as,
    }
    columns = {
        "agent_id": command.agent_id,
        "session_id": session.pk,
        "attempt_id": command.attempt_id,
        "epoch": command.epoch,
        "purpose": TOLD,
        "method": version.STALE,
        "params": params,
        "created_at": now,
    }
    row = Insert("clawgroups.Command", told_id(command.pk), columns)
    return Decision([row], [], [bus.agent_topic(command.agent_id)])


def told_id(request: UUID) -> UUID:
    """The row of the frame that tells of this prompt's late result: one per prompt."""
    return uuid5(request, TOLD)


def noted(request: UUID, *, actor: Actor) -> Future[Outcome]:
    """The connector has noted that its result came too late: the frame is not sent again."""
    row = Command.objects.filter(pk=told_id(request), agent=actor.agent_id).first()
    if row is None:
        raise NotFound("There is no such request.")
    seen = {"state": "answered", "answered_at": timezone.now()}
    write = Update("clawgroups.Command", row.pk, seen, {"state": one_of("open", "sent")})
    return commit.submit(Change(actor, writes=(write,), verb="late.noted"))


_told_elsewhere: Planned[UUID] = Planned(
    lambda agent_id, link: (
        Command.objects.filter(agent_id=agent_id, purpose=TOLD, state__in=["open", "sent"])
        .exclude(session__link=link)
        .values_list("pk", flat=True)
    )
)


def forget_told(agent_id: UUID, link: UUID) -> Future[Outcome] | None:
    """The agent came in on `link`: what its other links were to be told, nobody listens for any more."""
    gone = _told_elsewhere(agent_id, link)
    writes = tuple(
        Update("clawgroups.Command", pk, {"state": "void"}, {"state": one_of("open", "sent")}) for pk in gone
    )
    return commit.submit(Change(SYSTEM, writes=writes, verb="late.forget")) if writes else None


# Adopted


def adopt_late(task_id: UUID, attempt_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Take a late result up: a new attempt of its member, under a new epoch, goes into review with it.

    Whoever works on the task meanwhile is asked to stop. Answer: {"id", "attempt", "epoch", "state"}. Raises
    `Conflict` for a task that is closed, held or in review and for a result that was taken up before; the
    coordinator may only where nobody works on the task.
    """
    task = get_task(actor, task_id, "task.adopt")
    expects = require(actor, "task.adopt", task.workspace_id)
    source = _source(task, attempt_id)
    _require_free(task, actor)
    state = move_task(task.state, TaskVerb.ADOPT)
    now, pk = timezone.now(), new_id()
    decision = Decision()
    if task.attempt is not None and task.attempt.ended_at is None:
        reason = f"a late result of {source.member.name} was taken up instead"
        decision.add(end_attempt(task.attempt, AttemptVerb.SUPERSEDE, now, reason=reason))
    values = {
        "state": state.value,
        "epoch": task.epoch + 1,
        "assignee_id": source.member_id,
        "holder_id": None,
        "attempt_id": pk,
        "reason": "",
        "failure": "",
        "not_before": None,
        "paused": "",
        **waits(task, wait_for_review(now, timers_of(task.workspace)), now),
    }
    decision.writes += [
        Update("clawgroups.Task", task.pk, values, fence(task)),
        Insert("clawgroups.Attempt", pk, _again(task, source, now)),
    ]
    fact = LateResultAdopted(
        task_id=task.pk, attempt_id=pk, source_id=source.pk, member_id=source.member_id, epoch=task.epoch + 1
    )
    decision.facts.append(Fact(task.workspace_id, fact))
    decision.add(_files_along(task, source, pk, now))
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (
                *expects,
                Expect("clawgroups.Run", task.run_id, {"state": "running"}),
                Expect("clawgroups.Attempt", source.pk, {"late_at": source.late_at}),
            ),
            tuple(decision.writes),
            tuple(decision.facts),
            operation,
            verb="task.adopt",
            answer={"id": str(task.pk), "attempt": str(pk), "epoch": task.epoch + 1, "state": state.value},
            wakes=tuple(decision.wakes),
        )
    )


def _source(task: Task, attempt_id: UUID) -> Attempt:
    source = Attempt.objects.select_related("member").filter(pk=attempt_id, task=task).first()
    if source is None or source.late_at is None:
        raise NotFound("There is no late result of that try.")
    again = source.adopted_as.first()
    if again is not None:
        raise Conflict(f"It was taken up before, as try {again.number}.", code="already_adopted", attempt=str(again.pk))
    return source


def _require_free(task: Task, actor: Actor) -> None:
    if task.run.state != "running":
        raise Conflict(f"The run is {task.run.state}; nothing is taken up now.", code="run_not_running")
    if task.holder is not None:
        raise Conflict(
            f"{task.holder.name} works on this task by hand; the late result can be read and copied from beside it.",
            code="held",
            holder=task.holder.name,
        )
    free = task.state in (TaskState.READY, TaskState.STUCK)
    if actor.kind is ActorKind.COORDINATOR and not free:
        raise Conflict("Somebody works on this task; only a person takes a late result up now.", code="in_hand")
    if actor.kind is ActorKind.COORDINATOR:
        check_unpaused(task)


def _again(task: Task, source: Attempt, now: datetime) -> dict[str, Any]:
    return {
        "workspace_id": task.workspace_id,
        "task_id": task.pk,
        "member_id": source.member_id,
        "number": task.attempts.count() + 1,
        "epoch": task.epoch + 1,
        "state": AttemptState.SUBMITTED.value,
        "brief": source.brief,
        "plan": source.plan,
        "result": source.late_result,
        "adopted_from_id": source.pk,
        "offered_at": now,
        "begun_at": now,
        "progress_at": now,
        "submitted_at": now,
    }


def _files_along(task: Task, source: Attempt, attempt_id: UUID, now: datetime) -> Decision:
    """The late result's files, as files of the new attempt; their author stays who made them."""
    decision = Decision()
    for row in late_files(source):
        known = Artifact.objects.filter(task=task, name=row.name).exclude(kind="input").count()
        values = {
            "workspace_id": task.workspace_id,
            "run_id": task.run_id,
            "task_id": task.pk,
            "attempt_id": attempt_id,
            "kind": "result",
            "name": row.name,
            "revision": known + 1,
            "size": row.size,
            "sha256": row.sha256,
            "content_type": row.content_type,
            "actor": row.actor,
            "created_at": now,
        }
        pk = new_id()
        decision.writes.append(Insert("clawgroups.Artifact", pk, values))
        added = ArtifactAdded(artifact_id=pk, run_id=task.run_id, task_id=task.pk, name=row.name, kind="result")
        decision.facts.append(Fact(task.workspace_id, added))
    return decision


def adoptable(task: Task) -> Attempt | None:
    """The late result of a task that the coordinator may take up; see `adoptable_of`."""
    return adoptable_of([task.pk]).get(task.pk)


def adoptable_of(tasks: Collection[UUID]) -> dict[UUID, Attempt]:
    """The late results that the coordinator may take up, by task: the newest of a try that only ran out of time.

    None that was taken up, turned down or returned before, nor one from before a person worked on the task or
    a result was sent back: it knows nothing of what was said then.
    """
    if not tasks:
        return {}
    taken = Exists(Attempt.objects.filter(adopted_from=OuterRef("pk")))
    tried = Attempt.objects.filter(task__in=tasks).annotate(taken=taken)
    of_task: dict[UUID, list[Any]] = {}
    for one in tried.select_related("member").order_by("late_at", "number"):
        of_task.setdefault(one.task_id, []).append(one)
    choice = {pk: _choice(attempts) for pk, attempts in of_task.items()}
    # Only what may be taken up, and what was sent back before it, has to be read.
    read = digests_of(
        [one for fitting, returned in choice.values() if fitting and returned for one in (*fitting, *returned)]
    )
    found = ((pk, _newest_fitting(fitting, returned, read)) for pk, (fitting, returned) in choice.items())
    return {pk: one for pk, one in found if one is not None}


def _choice(attempts: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Of all tries of a task: late results that may be taken up, as they came; and what was returned."""
    returned = [one for one in attempts if one.state == AttemptState.RETURNED]
    by_people = [one for one in attempts if one.member.user_id is not None]
    since = max((one.number for one in (*returned, *by_people)), default=0)
    late = [one for one in attempts if one.state == AttemptState.EXPIRED and one.late_at is not None and not one.taken]
    return [one for one in late if one.number > since and not one.verdicts], returned


def _newest_fitting(fitting: Sequence[Any], returned: Sequence[Any], read: Mapping[UUID, set[str]]) -> Any:
    turned_down = {digest for one in returned for digest in read.get(one.pk, ())}
    known = (one for one in reversed(fitting) if turned_down.isdisjoint(read.get(one.pk, ())))
    return next(known, None)


def turn_down(attempt_id: UUID, *, verdicts: Sequence[Verdict], actor: Actor) -> Future[Outcome]:
    """Note what a late result does not fulfil: it stays, for people, and the coordinator looks no more at it."""
    attempt = Attempt.objects.get(pk=attempt_id)
    expects = require(actor, "task.adopt", attempt.workspace_id)
    values = {"verdicts": [verdict.as_json() for verdict in verdicts]}
    write = Update("clawgroups.Attempt", attempt.pk, values, {"late_at": attempt.late_at})
    return commit.submit(Change(actor, attempt.workspace_id, expects, (write,), verb="late.turn_down"))
