"""What becomes of a steered turn: sent as part of the holder's attempt, answered, or cut off.

Whatever the agent says is offered to the holder. It never submits, acknowledges, fails or releases the task, and no
clock of the task moves by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.utils import timezone

from agents.ids import new_id
from agents.models import Connection
from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor, ActorKind
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update, Write
from clawgroups.core.control_events import SteerAnswered
from clawgroups.models import Attempt, Command, Part, Session, Step, Task
from clawgroups.planned import Planned
from clawgroups.queries import draft_files
from clawgroups.services import late, openings
from clawgroups.services.artifacts import work_files
from clawgroups.services.attempts import Decision, void_approvals
from clawgroups.services.drafts import draft_row, nudged, unsaved
from clawgroups.services.hands import on_behalf
from clawgroups.services.in_hand import timers_by
from clawgroups.services.steer_words import steer_prompt
from clawgroups.services.steering import STEER, said_in
from clawgroups.services.texts import newest

ERROR, CUT_OFF = "error", "cut_off"
MAX_OFFERED = 1_000_000
# A turn that ended so has said what it had to say; of one that was stopped the words stand in the transcript.
OFFERS = ("end_turn", "max_tokens", "max_turn_requests")


def sent(command: Command, now: datetime) -> tuple[dict[str, Any], Decision]:
    """The session goes on in the holder's attempt: with the prompt as it is now, as columns of the command.

    Where that attempt is over (a hand-back was decided at the same moment) it is void instead.
    """
    session, attempt = command.session, command.attempt
    assert session is not None
    assert attempt is not None
    task = openings.current(attempt)
    if task is None or session.state != "open":
        return {"state": "void", "sent_at": None, "link": None}, Decision()
    said, draft = said_in(command), newest(attempt)
    files = draft_files(attempt)
    unmoved: dict[str, Any] = {"state": "open", "attempt_id": session.attempt_id}
    session.attempt = attempt
    prompt = steer_prompt(task, attempt.member.name, said, draft, files, in_folder=len(work_files(session)))
    writes: list[Write] = [
        Update("clawgroups.Session", session.pk, {"attempt_id": attempt.pk}, unmoved),
        Update("clawgroups.Attempt", attempt.pk, {}, {"state": attempt.state}),
        Update("clawgroups.Task", task.pk, {}, {"epoch": attempt.epoch}),
        Insert("clawgroups.Part", new_id(), _told(attempt, said, now)),
    ]
    return {"params": {"sessionId": session.acp_id, **prompt}}, Decision(writes)


def _told(attempt: Attempt, said: str, now: datetime) -> dict[str, Any]:
    """The person's words as the next line of the attempt's transcript."""
    last = max(
        (rows.filter(attempt=attempt).aggregate(last=Max("ordinal"))["last"] or 0)
        for rows in (Part.objects.all(), Step.objects.all())
    )
    return {"attempt_id": attempt.pk, "ordinal": last + 1, "kind": "prompt", "text": said, "at": now}


def answered(
    command: Command, link: UUID, result: Mapping[str, Any] | None, error: Mapping[str, Any] | None, text: str
) -> tuple[Decision, dict[str, Any]]:
    """A steered turn is over: its last message is offered to the holder. And what is noted with the answer.

    After the attempt its words are evidence, and all that its end says is that it has stopped.
    """
    attempt = command.attempt
    assert attempt is not None
    outcome = str((result or {}).get("stopReason") or "unknown")[:60] if error is None else ERROR
    task = openings.current(attempt)
    if task is None:
        return late.keep(command, openings.task_of(attempt), link, stop_reason=outcome, text=text), {}
    now = timezone.now()
    decision = Decision()
    # It has ended its turn without waiting for the answers.
    decision.add(void_approvals(attempt, now))
    draft: int | None = None
    if outcome in OFFERS and text.strip():
        agent = on_behalf(Actor(ActorKind.AGENT, command.agent.name, agent_id=command.agent_id), attempt)
        row = draft_row(attempt, text[-MAX_OFFERED:], agent, kind="offered", base=_base(command))
        draft = int(row.values["version"])
        # Not the holder's doing, so that no clock moves by it; but somebody who saves at this moment decides anew.
        decision.writes += [Update("clawgroups.Attempt", attempt.pk, nudged(attempt), unsaved(attempt)), row]
    decision.writes += [
        Update("clawgroups.Task", task.pk, {}, {"epoch": attempt.epoch}),
        Update("clawgroups.Attempt", attempt.pk, {}, {"state": attempt.state}),
    ]
    decision.facts.append(_over(task, command, outcome, draft))
    return decision, {"outcome": outcome, "draft": draft, **({"said": text[:2000]} if outcome == "refusal" else {})}


def _base(command: Command) -> int | None:
    """The version of the draft that the agent was told."""
    told = command.params.get("_meta", {}).get("clawgroups", {}).get("draft")
    return told if isinstance(told, int) else None


def _over(task: Task, command: Command, outcome: str, draft: int | None = None) -> Fact:
    assert command.attempt_id is not None
    event = SteerAnswered(
        task_id=task.pk, attempt_id=command.attempt_id, command_id=command.pk, outcome=outcome, draft=draft
    )
    return Fact(task.workspace_id, event)


def cut_off(commands: Iterable[Command], now: datetime) -> Decision:
    """The program behind these is gone, or was away for too long: what was asked of it is over, the hold stays.

    An answer that comes all the same is taken on a later connection.
    """
    decision = Decision()
    asking: dict[UUID, Attempt] = {}
    for command in commands:
        task = openings.current(command.attempt) if command.attempt is not None else None
        if command.purpose != STEER or task is None or command.attempt is None:
            continue
        values = {"state": "interrupted" if command.state == "sent" else "void", "answer": {"outcome": CUT_OFF}}
        decision.writes.append(Update("clawgroups.Command", command.pk, values, {"state": command.state}))
        decision.facts.append(_over(task, command, CUT_OFF))
        asking[command.attempt.pk] = command.attempt
    for attempt in asking.values():
        decision.add(void_approvals(attempt, now, tell=False))
    return decision


def away_too_long(now: datetime, limit: int) -> list[Callable[[], Future[Outcome]]]:
    """A verb for each session that was asked something and whose link is gone for longer than its grace."""
    rows = set(_asked())
    if not rows:
        return []
    closed = Connection.objects.filter(pk__in=[link for _, link, _ in rows if link], closed_at__isnull=False)
    gone = dict(closed.values_list("pk", "closed_at"))
    timers = timers_by(workspace for _, _, workspace in rows if workspace is not None)
    return [
        partial(_give_up, session, link, since, now)
        for session, link, workspace in sorted(rows, key=str)[:limit]
        if session is not None
        and link is not None
        and workspace is not None
        and (since := gone.get(link)) is not None
        and since + timedelta(seconds=timers[workspace].grace) <= now
    ]


_asked: Planned[tuple[UUID | None, UUID | None, UUID | None]] = Planned(
    lambda: Command.objects.filter(purpose=STEER, state__in=["open", "sent"], attempt__ended_at=None).values_list(
        "session_id", "session__link", "attempt__workspace_id"
    )
)


def _give_up(session_id: UUID, link: UUID, since: datetime, now: datetime) -> Future[Outcome]:
    session = Session.objects.select_related("agent").get(pk=session_id)
    waiting = Command.objects.select_related("attempt").filter(session=session, state__in=["open", "sent"])
    decision = cut_off(waiting, now)
    # Not where it has come back since it was found gone, nor where the session lives on another link.
    gone = Update("agents.Connection", link, {}, {"closed_at": since})
    still = Expect("clawgroups.Session", session.pk, {"link": link})
    return commit.submit(
        Change(
            SYSTEM,
            session.workspace_id,
            (still,),
            writes=(gone, *decision.writes),
            facts=tuple(decision.facts),
            verb="steer.cut_off",
            wakes=tuple(decision.wakes),
        )
    )
