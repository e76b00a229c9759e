"""Verbs on tasks: assign, release, review, cancel. Takeover has its own module."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from agents.models import Agent, Connection
from agents.protocol import version
from clawgroups import auth, bus, commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update, Write
from clawgroups.core.clocks import InHand
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_task
from clawgroups.core.plan import children_of
from clawgroups.core.task_events import TaskAssigned, TaskCancelled, TaskStuck
from clawgroups.core.timers import after, wait_for_help
from clawgroups.keyed import row_of
from clawgroups.models import Dependency, Member, Session, Task
from clawgroups.permissions import ENDING, get_task, require
from clawgroups.services import breakers, contact
from clawgroups.services.asking import ask_member
from clawgroups.services.attempts import (
    TURNS,
    Decision,
    check_unpaused,
    closed,
    end_attempt,
    end_sessions_of,
    fence,
    release,
)
from clawgroups.services.briefs import acknowledge_prompt, earlier_work, work_prompt
from clawgroups.services.choices import check_chosen
from clawgroups.services.deadlines import CLOSED, timers_of, waits, waits_in_hand
from clawgroups.services.late import stale
from clawgroups.services.workspaces import clean_text

# What this one is told and the next one is not: an interruption, and by whom somebody else was asked before.
UNTIL_GIVEN = {"interrupted", "given", "returned"}


def assign_task(
    task_id: UUID,
    *,
    member_id: UUID,
    actor: Actor,
    match: Mapping[str, Any] | None = None,
    anyway: bool = False,
    operation: str = "",
) -> Future[Outcome]:
    """Offer a ready or stuck task to an agent member, under a new epoch; a person is asked instead (`ask_member`).

    `match` is the ranking behind it, stored and shown. Raises `IllegalMove`, `Invalid` for who is no member here.
    """
    task = get_task(actor, task_id, "task.assign")
    expects = require(actor, "task.assign", task.workspace_id)
    member = row_of(Member, member_id, "agent")
    if member is None or member.left_at is not None or member.workspace_id != task.workspace_id:
        raise Invalid("Choose a member of this workspace.", field="member")
    if member.agent is None:
        return ask_member(task_id, member_id=member_id, match=match, anyway=anyway, actor=actor, operation=operation)
    if task.run.state != "running":
        raise Conflict(f"The run is {task.run.state}; nothing is assigned now.", code="run_not_running")
    if task.run.budget_stop:
        raise Conflict(f"{task.run.budget_stop} Raise it first; nothing is assigned until then.", code="budget_reached")
    if contact.unconfirmed([member.agent.pk]):
        raise Conflict(
            f"{member.name} was asked to stop other work and has not confirmed it; it gets nothing new until then.",
            code="stop_unconfirmed",
        )
    unmoved = check_chosen(task, member.pk, actor)
    state = move_task(task.state, TaskVerb.ASSIGN)
    now = timezone.now()
    start_by = after(now, timers_of(task.workspace).schedule_to_start)
    decision, attempt = offer(task, member, now, start_by)
    fit, trial = breakers.may_be_offered(member.agent, attempt)
    values = {
        "state": state.value,
        "epoch": task.epoch + 1,
        "assignee_id": member.pk,
        "holder_id": None,
        "attempt_id": attempt,
        "tries": task.tries + 1,
        "match": dict(match or {}),
        "reason": "",
        "failure": "",
        "not_before": None,
        **waits_in_hand(task, InHand(begun=False, start_by=start_by), member.name, now),
    }
    if task.brief.keys() & UNTIL_GIVEN:
        values["brief"] = {key: value for key, value in task.brief.items() if key not in UNTIL_GIVEN}
    fact = TaskAssigned(
        task_id=task.pk, run_id=task.run_id, attempt_id=attempt, member_id=member.pk, epoch=task.epoch + 1
    )
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (
                *expects,
                Expect("clawgroups.Run", task.run_id, {"state": "running", "paused": False, "budget_stop": ""}),
                Expect("clawgroups.Member", member.pk, {"left_at": None}),
                Expect("agents.Agent", member.agent_id, {"retired_at": None}),
                *fit,
            ),
            (Update("clawgroups.Task", task.pk, values, unmoved), *decision.writes, *trial),
            (Fact(task.workspace_id, fact),),
            operation,
            verb="task.assign",
            answer={"id": str(task.pk), "attempt": str(attempt), "epoch": task.epoch + 1},
            wakes=tuple(decision.wakes),
        )
    )


def offer(task: Task, member: Member, now: datetime, start_by: datetime) -> tuple[Decision, UUID]:
    """A new attempt of an agent, with the session it shall work in and the first frame it is owed."""
    agent_id = member.agent_id
    assert agent_id is not None
    assert member.agent is not None
    # A task at its first epoch was never given to anybody.
    attempt, number = new_id(), 1 + (task.attempts.count() if task.epoch else 0)
    live = _live_session(task, agent_id)
    brief = _brief_for(task, live)
    values = {
        "workspace_id": task.workspace_id,
        "task_id": task.pk,
        "member_id": member.pk,
        "number": number,
        "epoch": task.epoch + 1,
        "state": "offered",
        "brief": brief,
        "offered_at": now,
        "start_by": start_by,
    }
    prompt = {} if live is None else prompt_command(task, brief, live)
    if prompt:
        values |= told_rules(task, prompt)
    decision = Decision([Insert("clawgroups.Attempt", attempt, values)], [], [bus.agent_topic(agent_id)])
    command: dict[str, Any] = {
        "agent_id": agent_id,
        "attempt_id": attempt,
        "epoch": task.epoch + 1,
        "created_at": now,
    }
    if live is not None:
        decision.writes.append(Update("clawgroups.Session", live.pk, {"attempt_id": attempt}, {"state": "open"}))
        decision.writes.append(Insert("clawgroups.Command", new_id(), {**command, **prompt}))
        return decision, attempt
    decision.writes += _opening(task, member.agent, command, now)
    return decision, attempt


def _opening(task: Task, agent: Agent, command: dict[str, Any], now: datetime) -> list[Write]:
    """The session that a new attempt shall work in, a stored one or a new one, and the request that opens it."""
    params: dict[str, Any] = {"cwd": agent.cwd or "/", "mcpServers": []}
    stored = _stored_session(task, agent) if task.epoch else None
    if stored is not None:
        method = version.SESSION_RESUME if agent.announced.get("resume") is True else version.SESSION_LOAD
        values = {"attempt_id": command["attempt_id"], "state": "opening", "link": None, "closed_at": None}
        unmoved = {"state": stored.state, "attempt_id": stored.attempt_id}
        opens = {"method": method, "params": {"sessionId": stored.acp_id, **params}}
        return [
            Update("clawgroups.Session", stored.pk, values, unmoved),
            Insert("clawgroups.Command", new_id(), {**command, "session_id": stored.pk, "purpose": "open", **opens}),
        ]
    session = new_id()
    key = auth.session_key(session)
    row = {
        "workspace_id": task.workspace_id,
        "agent_id": agent.pk,
        "task_id": task.pk,
        "attempt_id": command["attempt_id"],
        "public_id": key.public_id,
        "digest": key.digest,
        "opened_at": now,
    }
    opens = {"method": version.SESSION_NEW, "params": params}
    return [
        Insert("clawgroups.Session", session, row),
        Insert("clawgroups.Command", new_id(), {**command, "session_id": session, "purpose": "open", **opens}),
    ]


def _stored_session(task: Task, agent: Agent) -> Session | None:
    """The agent's last session on this task, where the agent says that it can go on in one that it has stored.

    Not one in which a turn may still be under way.
    """
    if not (agent.announced.get("resume") is True or agent.announced.get("load") is True):
        return None
    sessions = Session.objects.filter(task=task, agent=agent).exclude(acp_id="")
    session = sessions.order_by("-opened_at").first()
    if session is None or session.commands.filter(state="sent", purpose__in=TURNS).exists():
        return None
    return session


def prompt_command(task: Task, brief: dict[str, Any], session: Session) -> dict[str, Any]:
    """The columns of an attempt's next prompt: the acknowledgement of a hand-back first, then the work."""
    handed_back = "handback" in brief and not brief.get("acknowledged")
    prompt = acknowledge_prompt(task, brief) if handed_back else work_prompt(task, brief, session.agent_id)
    return {
        "session_id": session.pk,
        "purpose": "acknowledge" if handed_back else "work",
        "method": "session/prompt",
        "params": {"sessionId": session.acp_id, **prompt},
    }


def told_rules(task: Task, prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of an attempt that gets this prompt: which version of the workspace's goal and rules it has read then."""
    return {"rules_version": task.workspace.rules_version} if prompt["purpose"] == "work" else {}


def _brief_for(task: Task, live: Session | None) -> dict[str, Any]:
    """The task's brief. A session that lives on knows what it did, and is not asked again for what it acknowledged."""
    if live is None:
        work = earlier_work(task) if task.epoch else {}
        return {**task.brief, "earlier": work} if work else dict(task.brief)
    told = live.attempt.brief
    known = bool(told.get("acknowledged")) and told.get("handback") == task.brief.get("handback")
    return {**task.brief, "acknowledged": True} if known else dict(task.brief)


def _live_session(task: Task, agent_id: UUID) -> Session | None:
    """The session of this agent on this task that still lives, after a hand-back, a return or an interruption."""
    if not task.brief.keys() & {"handback", "feedback", "interrupted"}:
        return None
    sessions = Session.objects.select_related("attempt")
    session = sessions.filter(task=task, agent_id=agent_id, state="open").order_by("-opened_at").first()
    if session is None or session.link is None:
        return None
    alive = Connection.objects.filter(pk=session.link, closed_at=None).exists()
    busy = session.commands.filter(state__in=["open", "sent"], purpose__in=TURNS).exists()
    return session if alive and not busy else None


def release_task(
    task_id: UUID,
    *,
    reason: str,
    epoch: int,
    actor: Actor,
    failure: Failure = Failure.RELEASED,
    seen: Mapping[str, Any] | None = None,
) -> Future[Outcome]:
    """Take a task from its assignee: the attempt ends, the task is ready again or stuck.

    `epoch` is the one the caller looked at: raises `StaleAttempt` for a task that has moved on since. `seen` is what
    it saw of the attempt; where that has moved on, the answer is a mismatch. `failure` says why, and with that what
    follows.
    """
    task = get_task(actor, task_id, "task.release", *ENDING)
    expects = require(actor, "task.release", task.workspace_id)
    if epoch != task.epoch:
        raise stale(task, f"This task has moved on: it is at epoch {task.epoch} now.")
    reason = clean_text(reason, what="Reason", limit=1000) or "released"
    now = timezone.now()
    decision = Decision()
    if task.attempt is not None and task.attempt.ended_at is None:
        verb = AttemptVerb.EXPIRE if actor.kind is ActorKind.SYSTEM else AttemptVerb.REFUSE
        decision.add(end_attempt(task.attempt, verb, now, reason=reason, failure=failure))
        expects = (*expects, Expect("clawgroups.Attempt", task.attempt.pk, seen or {}))
    decision.add(release(task, now, reason=reason, failure=failure))
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (*expects, Expect("clawgroups.Task", task.pk, {"epoch": epoch})),
            tuple(decision.writes),
            tuple(decision.facts),
            verb="task.release",
            answer={"id": str(task.pk)},
            wakes=tuple(decision.wakes),
        )
    )


def stick_task(
    task_id: UUID, *, reason: str, who: str, match: Mapping[str, Any] | None = None, actor: Actor
) -> Future[Outcome]:
    """Say that nobody can go on with a task, why, and which person must act."""
    task = get_task(actor, task_id, "task.stick")
    expects = require(actor, "task.stick", task.workspace_id)
    if task.state != "ready":
        raise Conflict(f"This task is {task.state.replace('_', ' ')}; only a ready one can be without anybody for it.")
    check_unpaused(task)
    now = timezone.now()
    values = {
        "state": move_task(task.state, TaskVerb.STICK).value,
        "reason": reason,
        "match": dict(match or task.match),
        **waits(task, wait_for_help(now, timers_of(task.workspace), who), now),
    }
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (Update("clawgroups.Task", task.pk, values, fence(task)),),
            (Fact(task.workspace_id, TaskStuck(task_id=task.pk, reason=reason, epoch=task.epoch)),),
            verb="task.stick",
            answer={"id": str(task.pk)},
        )
    )


def cancel_task(task_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Cancel a task and every task that needs it; what was done so far stays."""
    task = get_task(actor, task_id, "task.cancel")
    expects = require(actor, "task.cancel", task.workspace_id)
    # A change of the plan may have linked other tasks behind this one since it was read.
    expects = (*expects, Expect("clawgroups.Run", task.run_id, {"plan_version": task.run.plan_version}))
    decision = Decision()
    for each in (task, *_needing(task)):
        decision.add(_cancel(each, timezone.now()))
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            tuple(decision.writes),
            tuple(decision.facts),
            operation,
            verb="task.cancel",
            answer={"id": str(task.pk), "state": "cancelled"},
            wakes=tuple(decision.wakes),
        )
    )


def _cancel(task: Task, now: datetime) -> Decision:
    decision = Decision()
    if task.attempt is not None and task.attempt.ended_at is None:
        decision.add(end_attempt(task.attempt, AttemptVerb.CANCEL, now, reason="the task was cancelled"))
    values = {
        "state": move_task(task.state, TaskVerb.CANCEL).value,
        "epoch": task.epoch + 1,
        "attempt_id": None,
        "holder_id": None,
        "ended_at": now,
        **CLOSED,
    }
    decision.writes += [Update("clawgroups.Task", task.pk, values, fence(task)), closed(task)]
    decision.add(end_sessions_of(task.pk, now))
    decision.facts.append(Fact(task.workspace_id, TaskCancelled(task_id=task.pk)))
    return decision


def _needing(task: Task) -> list[Task]:
    children = children_of(Dependency.objects.filter(task__run_id=task.run_id).values_list("task_id", "parent_id"))
    found: dict[UUID, None] = {}
    queue = list(children.get(task.pk, ()))
    for pk in queue:
        if pk not in found:
            found[pk] = None
            queue += children.get(pk, ())
    open_ones = Task.objects.select_related("attempt", "workspace", "run").filter(pk__in=found)
    return [t for t in open_ones if t.state not in ("done", "failed", "cancelled")]
