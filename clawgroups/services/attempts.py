"""How attempts end: the writes every ending shares, and what becomes of the task afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from agents.ids import new_id
from agents.protocol import acp, version
from clawgroups import bus
from clawgroups.core.approval_events import ApprovalVoided
from clawgroups.core.changes import Count, Fact, Insert, Update, Write
from clawgroups.core.errors import Conflict
from clawgroups.core.events import RunConsolidating
from clawgroups.core.failures import Failure, consequence
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_attempt, move_task
from clawgroups.core.retries import Course, Next, Standing, after_failure, back_off, plea
from clawgroups.core.task_events import TaskReleased, TaskStuck
from clawgroups.core.timers import wait_for_coordinator, wait_for_help
from clawgroups.models import Approval, Attempt, Command, Session, Task
from clawgroups.planned import Planned
from clawgroups.services import breakers
from clawgroups.services.deadlines import timers_of, waits
from clawgroups.services.stuck import who_can_help

TURNS = ("work", "acknowledge", "steer")
# What a brief says of how a task came where it is: it is not told of one that is written anew.
OF_BEFORE = ("preferred", "only", "note", "interrupted")
CANCELLED = {"outcome": {"outcome": "cancelled"}}


@dataclass(slots=True)
class Decision:
    """Writes, facts and wakes gathered while a verb is decided."""

    writes: list[Write] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    wakes: list[str] = field(default_factory=list)

    def add(self, other: Decision) -> None:
        self.writes += other.writes
        self.facts += other.facts
        self.wakes += other.wakes

    def take(self, moved: tuple[list[Write], list[Fact]]) -> None:
        """Add writes and facts alone."""
        self.writes += moved[0]
        self.facts += moved[1]


def end_attempt(
    attempt: Attempt,
    verb: AttemptVerb,
    now: datetime,
    *,
    reason: str = "",
    failure: Failure | None = None,
    answered: UUID | None = None,
) -> Decision:
    """End an open attempt: its state, its open questions, and the turn that may still be going on.

    Open approvals are void and answered `cancelled`, unsent commands are void, and a prompt that is
    out gets `session/cancel`; what still comes from it is kept as evidence and changes nothing.
    `answered` is the prompt whose answer ends the attempt: nothing of it goes on. `failure` is the kind,
    where it ends without a result by no person's decision; its agent answers for it.
    """
    why = "taken_over" if verb is AttemptVerb.SUPERSEDE else "over"
    decision, stop = stop_turns(attempt, now, answered=answered, why=why)
    values: dict[str, Any] = {
        "state": move_attempt(attempt.state, verb).value,
        "ended_at": now,
        "reason": reason,
        "failure": "" if failure is None else failure.value,
        **stop,
    }
    # Not where its holder asks something at this moment: that would wait for ever.
    unmoved = {"state": attempt.state, "asked": attempt.asked}
    decision.writes.append(Update("clawgroups.Attempt", attempt.pk, values, unmoved))
    if failure is not None:
        decision.take(breakers.after_failure(attempt, failure, reason, now))
    return decision


def stop_turns(
    attempt: Attempt, now: datetime, *, answered: UUID | None = None, why: str = "over"
) -> tuple[Decision, dict[str, Any]]:
    """What an attempt still asks and is owed ends here, and the turn that runs is asked to stop.

    And the columns of the attempt that say so. `answered` is the prompt that has just been answered.
    """
    decision = void_approvals(attempt, now, why=why)
    commands = [
        c
        for c in Command.objects.select_related("session").filter(attempt=attempt, state__in=["open", "sent"])
        if c.pk != answered
    ]
    for command in commands:
        if command.state == "open" and command.purpose not in ("reply", "cancel"):
            decision.writes.append(Update("clawgroups.Command", command.pk, {"state": "void"}, {"state": "open"}))
    running = [(c, c.session) for c in commands if c.state == "sent" and c.purpose in TURNS and c.session is not None]
    at_work = {s.pk: s for _, s in running if s.state == "open"}
    for session in at_work.values():
        decision.add(ask_to_stop(session, attempt, now))
    # One that is answered at this very moment has nothing to confirm any more.
    decision.writes += [Update("clawgroups.Command", c.pk, {}, {"state": "sent"}) for c, _ in running]
    return decision, {"stop": "asked"} if at_work else {}


def ask_to_stop(session: Session, attempt: Attempt, now: datetime, *, turn: Command | None = None) -> Decision:
    """Send `session/cancel` for the turn that runs in a session; with `turn` for that one and never for a later."""
    params: dict[str, Any] = {"sessionId": session.acp_id}
    if turn is not None:
        params["_meta"] = {version.META_KEY: {"request": str(turn.pk)}}
    command = {
        "agent_id": session.agent_id,
        "session_id": session.pk,
        "attempt_id": attempt.pk,
        "epoch": attempt.epoch,
        "purpose": "cancel",
        "method": version.SESSION_CANCEL,
        "params": params,
        "created_at": now,
    }
    return Decision([Insert("clawgroups.Command", new_id(), command)], [], [bus.agent_topic(session.agent_id)])


_open_questions: Planned[Approval] = Planned(
    lambda attempt_id: Approval.objects.select_related("session").filter(attempt=attempt_id, state="open")
)


def void_approvals(attempt: Attempt, now: datetime, *, tell: bool = True, why: str = "over") -> Decision:
    """Close an attempt's open questions. `tell`: answer the agent `cancelled`, while there is one to be told."""
    decision = Decision()
    for approval in _open_questions(attempt.pk):
        values = {"state": "void", "why": why, "decided_at": now}
        decision.writes.append(Update("clawgroups.Approval", approval.pk, values, {"state": "open"}))
        if tell:
            decision.add(reply(approval, cancelled(approval), now))
        voided = ApprovalVoided(approval_id=approval.pk, task_id=attempt.task_id, why=why)
        decision.facts.append(Fact(attempt.workspace_id, voided))
    return decision


def cancelled(approval: Approval) -> dict[str, Any]:
    """The answer to a question that nobody will decide any more."""
    return {"action": "cancel"} if approval.kind == "form" else CANCELLED


def reply(approval: Approval, result: dict[str, Any], now: datetime) -> Decision:
    """Answer an agent's permission request. A question asked by a tool has no frame that waits for an answer."""
    if approval.kind == "question":
        return Decision()
    command = {
        "agent_id": approval.session.agent_id,
        "session_id": approval.session_id,
        "attempt_id": approval.attempt_id,
        "epoch": approval.epoch,
        "purpose": "reply",
        "params": {"id": approval.request_id, "result": result},
        "link": approval.session.link,
        "created_at": now,
    }
    return Decision([Insert("clawgroups.Command", new_id(), command)], [], [bus.agent_topic(approval.session.agent_id)])


def release(task: Task, now: datetime, *, reason: str, failure: Failure) -> Decision:
    """Put a task whose attempt ended without a result back to ready, or stuck where a person must decide.

    The task's epoch rises in both cases, so that whatever the attempt still writes is refused.
    """
    epoch, attempt_id = task.epoch + 1, task.attempt_id
    follows = what_follows(task, failure)
    values: dict[str, Any] = {"epoch": epoch, "brief": _with_dead_end(task, reason, failure)}
    values |= goes_on(task, follows, now, reason=reason, failure=failure, verb=TaskVerb.RELEASE)
    decision = Decision([Update("clawgroups.Task", task.pk, values, fence(task)), *retried(task, follows)])
    if follows.course is Course.PERSON:
        stuck = TaskStuck(task_id=task.pk, reason=values["reason"], epoch=epoch)
        decision.facts.append(Fact(task.workspace_id, stuck))
        return decision
    if follows.course is Course.AGAIN:
        timers = timers_of(task.workspace)
        pause = back_off(task.tries, base=timers.retry_base, cap=timers.retry_cap, chance=random.random())
        values["not_before"] = now + timedelta(seconds=pause)
    released = TaskReleased(
        task_id=task.pk, attempt_id=attempt_id, reason=values["reason"], epoch=epoch, failure=failure.value
    )
    decision.facts.append(Fact(task.workspace_id, released))
    return decision


def what_follows(task: Task, failure: Failure) -> Next:
    """How a task goes on after a failure, by what it and its run have used up.

    Changes that are decided at the same moment see the same count, so that a run may get a few retries more.
    """
    tasks = Task.objects.filter(run_id=task.run_id).count()
    return after_failure(failure, Standing(task.tries, task.regenerated, task.run.retries, tasks))


def goes_on(
    task: Task, follows: Next, now: datetime, *, reason: str, failure: Failure, verb: TaskVerb
) -> dict[str, Any]:
    """The columns of a task that nobody works on any more: by `verb` to ready, or stuck for a named person."""
    timers = timers_of(task.workspace)
    values: dict[str, Any] = {
        "assignee_id": None,
        "attempt_id": None,
        "failure": failure.value,
        "tries": follows.tries,
        "not_before": None,
    }
    if follows.course is Course.PERSON:
        stuck = move_task(task.state, TaskVerb.STICK).value
        help_from = wait_for_help(now, timers, who_can_help(task))
        return {**values, "state": stuck, "reason": plea(follows.why, reason), **waits(task, help_from, now)}
    return {
        **values,
        "state": move_task(task.state, verb).value,
        "reason": f"{reason.rstrip('.')}; {follows.why}",
        **waits(task, wait_for_coordinator(now, timers), now),
    }


def retried(task: Task, follows: Next) -> list[Write]:
    """One more retry of its run, where one follows."""
    return [Count("clawgroups.Run", task.run_id, "retries", 1)] if follows.counts else []


def _with_dead_end(task: Task, reason: str, failure: Failure) -> dict[str, Any]:
    """The task's brief with how this try ended; a member that cannot do it is not asked again."""
    brief = dict(task.brief)
    if task.assignee_id is None:
        return brief
    member = str(task.assignee_id)
    end = {"member": member, "reason": reason, "failure": failure.value}
    brief["dead_ends"] = [*brief.get("dead_ends", []), end][-10:]
    if brief.get("preferred") == member:
        brief["preferred"] = ""
    if not consequence(failure).same_member:
        brief["refused"] = [*brief.get("refused", []), member][-20:]
    return brief


def fence(task: Task) -> dict[str, Any]:
    """What a write to a task expects: nobody else has moved or paused it since it was read."""
    return {"epoch": task.epoch, "state": task.state, "paused": task.paused}


def check_unpaused(task: Task) -> None:
    """Raises `Conflict` for a task that somebody paused: it is given to nobody."""
    if task.paused:
        raise Conflict(
            f"{task.paused} paused this task. Let it go on first, or take it over.", code="paused", by=task.paused
        )


def end_sessions(sessions: QuerySet[Session], now: datetime) -> Decision:
    """Nobody works on a task that is over: its sessions end, and with them what their keys may read.

    Agents that can close a session are told, so that they free what it holds.
    """
    return _end(_living(sessions), now)


def end_sessions_of(task_id: UUID, now: datetime) -> Decision:
    """`end_sessions`, for one task."""
    return _end(_living_of(task_id), now)


def _living(sessions: QuerySet[Session]) -> QuerySet[Any, Any]:
    living = sessions.filter(state__in=["opening", "open"]).order_by("pk")
    return living.values_list("pk", "agent_id", "acp_id", "agent__announced__close")


_living_of: Planned[Any] = Planned(lambda task_id: _living(Session.objects.filter(task=task_id)))


def _end(living: Iterable[tuple[UUID, UUID, str, Any]], now: datetime) -> Decision:
    decision = Decision()
    for pk, agent_id, acp_id, closes in living:
        decision.writes.append(Update("clawgroups.Session", pk, {"state": "closed", "closed_at": now}))
        if closes is True and acp_id:
            call = acp.session_close(acp_id)
            command = {
                "agent_id": agent_id,
                "session_id": pk,
                "purpose": "close",
                "method": call.method,
                "params": call.params,
                "created_at": now,
            }
            decision.writes.append(Insert("clawgroups.Command", new_id(), command))
            decision.wakes.append(bus.agent_topic(agent_id))
    return decision


def closed(task: Task) -> Count:
    """One more task of its run is terminal; the last one makes the run consolidate."""
    fact = Fact(task.workspace_id, RunConsolidating(run_id=task.run_id))
    return Count(
        "clawgroups.Run",
        task.run_id,
        "open_tasks",
        -1,
        zero_expect={"state": "running"},
        zero_values={"state": "consolidating"},
        zero_facts=(fact,),
    )
