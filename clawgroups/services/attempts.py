"""How attempts end: the writes every ending shares, and what becomes of the task afterwards."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from agents.ids import new_id
from clawgroups import bus
from clawgroups.core.changes import Count, Fact, Insert, Update, Write
from clawgroups.core.events import RunConsolidating
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_attempt, move_task
from clawgroups.core.task_events import ApprovalVoided, TaskReleased, TaskStuck
from clawgroups.core.timers import wait_for_coordinator, wait_for_help
from clawgroups.models import Approval, Attempt, Command, Session, Task
from clawgroups.services.deadlines import name_of, timers_of, waits

MAX_TRIES = 3
TURNS = ("work", "acknowledge", "steer")
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


def end_attempt(
    attempt: Attempt, verb: AttemptVerb, now: datetime, *, reason: str = "", answered: UUID | None = None
) -> Decision:
    """End an open attempt: its state, its open questions, and the turn that may still be going on.

    Open approvals are void and answered `cancelled`, unsent commands are void, and a prompt that is
    out gets `session/cancel`; what still comes from it is kept as evidence and changes nothing.
    `answered` is the prompt whose answer ends the attempt: nothing of it goes on.
    """
    decision = Decision()
    values: dict[str, Any] = {
        "state": move_attempt(attempt.state, verb).value,
        "ended_at": now,
        "reason": reason,
    }
    decision.add(void_approvals(attempt, now))
    commands = [
        c
        for c in Command.objects.select_related("session").filter(attempt=attempt, state__in=["open", "sent"])
        if c.pk != answered
    ]
    for command in commands:
        if command.state == "open" and command.purpose not in ("reply", "cancel"):
            decision.writes.append(Update("clawgroups.Command", command.pk, {"state": "void"}, {"state": "open"}))
    running = [c.session for c in commands if c.state == "sent" and c.purpose in TURNS and c.session is not None]
    for session in {s.pk: s for s in running if s.state == "open"}.values():
        decision.add(ask_to_stop(session, attempt, now))
        values["stop"] = "asked"
    decision.writes.append(Update("clawgroups.Attempt", attempt.pk, values, {"state": attempt.state}))
    return decision


def ask_to_stop(session: Session, attempt: Attempt, now: datetime) -> Decision:
    """Send `session/cancel` for the turn that runs in a session."""
    command = {
        "agent_id": session.agent_id,
        "session_id": session.pk,
        "attempt_id": attempt.pk,
        "epoch": attempt.epoch,
        "purpose": "cancel",
        "method": "session/cancel",
        "params": {"sessionId": session.acp_id},
        "created_at": now,
    }
    return Decision([Insert("clawgroups.Command", new_id(), command)], [], [bus.agent_topic(session.agent_id)])


def void_approvals(attempt: Attempt, now: datetime, *, tell: bool = True) -> Decision:
    """Close an attempt's open questions. `tell`: answer the agent `cancelled`, while there is one to be told."""
    decision = Decision()
    for approval in Approval.objects.select_related("session").filter(attempt=attempt, state="open"):
        decision.writes.append(
            Update("clawgroups.Approval", approval.pk, {"state": "void", "decided_at": now}, {"state": "open"})
        )
        if tell:
            decision.add(reply(approval, CANCELLED, now))
        decision.facts.append(
            Fact(attempt.workspace_id, ApprovalVoided(approval_id=approval.pk, task_id=attempt.task_id))
        )
    return decision


def reply(approval: Approval, result: dict[str, Any], now: datetime) -> Decision:
    """Answer an agent's permission request."""
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


def release(task: Task, now: datetime, *, reason: str, retryable: bool = True) -> Decision:
    """Put a task whose attempt ended without a result back to ready, or stuck after the last try.

    The task's epoch rises in both cases, so that whatever the attempt still writes is refused.
    """
    timers = timers_of(task.workspace)
    brief = dict(task.brief)
    dead_ends = [*brief.get("dead_ends", []), {"member": str(task.assignee_id), "reason": reason}]
    brief["dead_ends"] = dead_ends[-10:]
    if not retryable:
        brief["refused"] = [*brief.get("refused", []), str(task.assignee_id)][-20:]
    epoch = task.epoch + 1
    values: dict[str, Any] = {"epoch": epoch, "assignee_id": None, "attempt_id": None, "brief": brief}
    decision = Decision()
    if task.tries >= MAX_TRIES:
        values |= {"state": move_task(task.state, TaskVerb.STICK).value, "reason": reason}
        values |= waits(task, wait_for_help(now, timers, name_of(task.run)), now)
        said = f"{MAX_TRIES} tries did not finish it; the last one: {reason}"
        decision.facts.append(Fact(task.workspace_id, TaskStuck(task_id=task.pk, reason=said, epoch=epoch)))
    else:
        pause = min(timers.retry_cap, timers.retry_base * 2 ** max(task.tries - 1, 0)) * random.random()
        values |= {
            "state": move_task(task.state, TaskVerb.RELEASE).value,
            "reason": reason,
            "not_before": now + timedelta(seconds=pause),
        }
        values |= waits(task, wait_for_coordinator(now, timers), now)
        fact = TaskReleased(task_id=task.pk, attempt_id=task.attempt_id, reason=reason, epoch=epoch)
        decision.facts.append(Fact(task.workspace_id, fact))
    decision.writes.append(Update("clawgroups.Task", task.pk, values, fence(task)))
    return decision


def fence(task: Task) -> dict[str, Any]:
    """What a write to a task expects: nobody else has moved it since it was read."""
    return {"epoch": task.epoch, "state": task.state}


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
