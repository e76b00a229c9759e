"""The holder of a task prompts the agent's live session as an instrument of their own attempt.

A steer is a prompt that waits in a row until its session is free; one turn runs at a time. The agent's answer is an
offer to the holder (`steered`), never the result. What is asked goes out with the draft as it stands at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from agents.models import Agent, Connection
from agents.protocol import version
from clawgroups import bus, commit
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update
from clawgroups.core.control_events import AttemptSteered, SteerAnswered
from clawgroups.core.durations import say_duration
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.timers import wait_for_holder
from clawgroups.models import Attempt, Command, Member, Run, Session, Step, Task
from clawgroups.permissions import require
from clawgroups.services.attempts import TURNS, Decision, ask_to_stop, fence
from clawgroups.services.deadlines import timers_of, waits
from clawgroups.services.hands import held
from clawgroups.services.workspaces import clean_text

STEER = "steer"
NOW, AFTER_STEP = "now", "after_step"
MAX_ASKED = 20_000
MAX_QUEUED = 10
MAX_LISTED = 50
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Partner:
    """Whom the holder of a task can ask: a session, or why there is none now (`code`, `said` with the next step)."""

    session: Session | None = None
    agent: Agent | None = None
    code: str = ""
    said: str = ""
    seen_at: datetime | None = None


def partner(task: Task) -> Partner:
    """The newest open session of an agent on this task whose link is alive; else what became of the newest one."""
    sessions = list(Session.objects.select_related("agent", "attempt").filter(task=task).order_by("-opened_at"))
    if not sessions:
        return Partner(
            code="nobody_worked",
            said="No agent has worked on this task, so there is nobody to ask. Write it yourself, or give it to one.",
        )
    newest = _of(sessions[0])
    found = [newest, *(_of(session) for session in sessions[1:])] if newest.code else [newest]
    return next((one for one in found if not one.code), newest)


def _of(session: Session) -> Partner:
    agent = session.agent
    why, said = _unfit(session, agent)
    if why:
        return Partner(None, agent, why, said)
    link = Connection.objects.filter(pk=session.link).first() if session.link is not None else None
    if link is None or link.closed_at is not None:
        seen = Connection.objects.filter(agent=agent).order_by("-seen_at").values_list("seen_at", flat=True).first()
        ago = f", last seen {say_duration((timezone.now() - seen).total_seconds())} ago" if seen else ""
        said = f"{agent.name} is offline{ago}. Ask again when it is back, or go on without it; the task stays yours."
        return Partner(None, agent, "agent_offline", said, seen)
    if session.attempt.stop == "unconfirmed" and session.commands.filter(state="sent", purpose__in=TURNS).exists():
        said = f"{agent.name} was asked to stop and has not confirmed it, so it is asked nothing new until it does."
        return Partner(None, agent, "stop_unconfirmed", said)
    return Partner(session, agent)


def _unfit(session: Session, agent: Agent) -> tuple[str, str]:
    """Why this session cannot be asked anything, whether its agent is here or not."""
    if agent.retired_at is not None:
        return "agent_retired", f"{agent.name} was retired. Give the task to another agent, or finish it yourself."
    if not Member.objects.filter(workspace_id=session.workspace_id, agent=agent, left_at=None).exists():
        return "agent_left", f"{agent.name} is no member here any more. Give the task to another agent."
    if agent.breaker == "quarantined":
        said = f"{agent.name} is in quarantine; its owner has to look at it before it is asked anything."
        return "agent_quarantined", said
    if session.state == "closed":
        said = (
            f"The program of {agent.name} ended, and the session that knew this work with it. "
            "Hand the task back to have it go on in a new one; what it did so far is kept."
        )
        return "session_lost", said
    if session.state != "open":
        return "session_opening", f"{agent.name} is still opening its session. Try again in a moment."
    return "", ""


def steer(task_id: UUID, *, text: str, when: str = NOW, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Ask the agent's live session something. Answer: {"id", "state": "queued", "when", "agent"}.

    "now": a steered turn under way is stopped and this one goes next; "after_step": as soon as the step under way is
    over. Raises `Conflict` where nobody can be asked, or too much waits already.
    """
    task, attempt = held(task_id, actor, "task.steer")
    expects = require(actor, "task.steer", task.workspace_id)
    text = clean_text(text, what="Text", limit=MAX_ASKED, required=True)
    if when not in (NOW, AFTER_STEP):
        raise Invalid("Say when: “now” or “after_step”.", field="when")
    if task.run.budget_stop:
        raise Conflict(f"{task.run.budget_stop} Raise it first; no agent is asked until then.", code="budget_reached")
    found = partner(task)
    session, agent = found.session, found.agent
    if session is None or agent is None:
        raise Conflict(found.said, code=found.code)
    if len(queued(attempt)) >= MAX_QUEUED:
        raise Conflict(f"{MAX_QUEUED} questions wait already; take one back first.", code="too_many_steers")
    now, pk = timezone.now(), new_id()
    decision = _give_way_now(session, attempt, now) if when == NOW else Decision()
    once_more = {"asked": attempt.asked + 1}
    decision.writes += [
        Insert("clawgroups.Command", pk, _asked(session, attempt, text, when, now)),
        *_busy(task, now, once_more),
    ]
    fact = AttemptSteered(task_id=task.pk, attempt_id=attempt.pk, command_id=pk, agent_id=session.agent_id, when=when)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (
                *expects,
                # A hand-back or a takeover lies before or after it.
                Expect("clawgroups.Session", session.pk, {"state": "open", "link": session.link}),
                Expect("agents.Agent", session.agent_id, {"retired_at": None}),
            ),
            tuple(decision.writes),
            (Fact(task.workspace_id, fact),),
            operation,
            verb="task.steer",
            answer={"id": str(pk), "state": "queued", "when": when, "agent": agent.name},
            wakes=(bus.agent_topic(session.agent_id),),
        )
    )


def _asked(session: Session, attempt: Attempt, text: str, when: str, now: datetime) -> dict[str, Any]:
    """The columns of a steer; its prompt is put together when it is sent (`steered.sent`)."""
    meta = {"turn": STEER, "said": text, "from": attempt.member.name}
    return {
        "agent_id": session.agent_id,
        "session_id": session.pk,
        "attempt_id": attempt.pk,
        "epoch": attempt.epoch,
        "purpose": STEER,
        "method": version.SESSION_PROMPT,
        "params": {"sessionId": session.acp_id, "prompt": [], "_meta": {version.META_KEY: meta}},
        "after_step": when == AFTER_STEP,
        "created_at": now,
    }


def _busy(task: Task, now: datetime, more: Mapping[str, int] = MappingProxyType({})) -> list[Update]:
    """The holder did something: the time until they are reminded runs anew. `more`: columns of their attempt."""
    attempt = task.attempt
    assert attempt is not None
    assert task.holder is not None
    waiting = waits(task, wait_for_holder(now, timers_of(task.workspace), task.holder.name), now)
    unmoved = {"state": "working", **({"asked": attempt.asked} if more else {})}
    return [
        Update("clawgroups.Attempt", attempt.pk, {"progress_at": now, "quiet_since": None, **more}, unmoved),
        Update("clawgroups.Task", task.pk, waiting, fence(task)),
    ]


def said_in(command: Command) -> str:
    """The words of the person in a steer."""
    return str(command.params.get("_meta", {}).get(version.META_KEY, {}).get("said", ""))


def queued(attempt: Attempt) -> list[Command]:
    """What waits to be asked in this attempt, in the order in which it goes out."""
    return in_order(Command.objects.filter(attempt=attempt, purpose=STEER, state="open").order_by("created_at", "pk"))


def running(session: Session) -> Command | None:
    """The steered turn under way in a session."""
    return session.commands.select_related("attempt").filter(purpose=STEER, state="sent").first()


def in_order(commands: Iterable[Command]) -> list[Command]:
    """Frames as they go out: of what is asked, the newest “now” goes first, the rest as it came; all else before."""
    ours = list(commands)
    asked = [one for one in ours if one.purpose == STEER]
    hasty = [one for one in reversed(asked) if not one.after_step]
    return [*(one for one in ours if one.purpose != STEER), *hasty, *(one for one in asked if one.after_step)]


def _give_way_now(session: Session, attempt: Attempt, now: datetime) -> Decision:
    """The steered turn under way, if any, is asked to stop. One of an attempt that is over was asked before."""
    turn = running(session)
    if turn is None or turn.attempt_id != attempt.pk or asked_to_stop(turn):
        return Decision()
    return ask_to_stop(session, attempt, now, turn=turn)


def asked_to_stop(turn: Command) -> bool:
    """Whether a turn that runs was told to stop."""
    cancels = Command.objects.filter(session=turn.session_id, purpose="cancel", created_at__gte=turn.sent_at)
    return cancels.exists()


def give_way(session_id: UUID) -> Future[Outcome] | None:
    """A step may have ended: the steered turn under way stops for what waits for just that. None: nothing is to do.

    Only for what was asked while this very turn ran; what waited before it goes in its order.
    """
    session = Session.objects.get(pk=session_id)
    turn = running(session)
    if turn is None or turn.attempt is None or turn.attempt.ended_at is not None or asked_to_stop(turn):
        return None
    asked = [one for one in queued(turn.attempt) if one.after_step and one.session_id == session.pk]
    waiting = next((one for one in asked if turn.sent_at is not None and one.created_at >= turn.sent_at), None)
    steps = Step.objects.filter(attempt=turn.attempt, ended_at=None, started_at__gte=turn.sent_at)
    if waiting is None or steps.exists():
        return None
    decision = ask_to_stop(session, turn.attempt, timezone.now(), turn=turn)
    # Not for one that is taken back at this moment.
    still = Expect("clawgroups.Command", waiting.pk, {"state": "open"})
    return commit.submit(
        Change(
            SYSTEM,
            session.workspace_id,
            (still,),
            tuple(decision.writes),
            verb="steer.give_way",
            wakes=tuple(decision.wakes),
        )
    )


def set_aside(run: Run, now: datetime) -> Decision:
    """What people ask of agents in a run is over: turns that run are asked to stop, what waits is void. Holds stay."""
    decision = Decision()
    asked = Command.objects.filter(purpose=STEER, state__in=["open", "sent"], attempt__task__run=run)
    for command in asked.filter(attempt__ended_at=None).select_related("session", "attempt"):
        assert command.attempt is not None
        if command.state == "open":
            decision.add(_withdrawn(command, command.attempt))
        elif command.session is not None and not asked_to_stop(command):
            decision.add(ask_to_stop(command.session, command.attempt, now, turn=command))
    return decision


def _withdrawn(command: Command, attempt: Attempt) -> Decision:
    values = {"state": "void", "answer": {"outcome": WITHDRAWN}}
    fact = SteerAnswered(task_id=attempt.task_id, attempt_id=attempt.pk, command_id=command.pk, outcome=WITHDRAWN)
    write = Update("clawgroups.Command", command.pk, values, {"state": "open"})
    return Decision([write], [Fact(attempt.workspace_id, fact)])


def withdraw_steer(task_id: UUID, command_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Take back what waits to be asked. Raises `Conflict` once it was sent: then it can be stopped."""
    task, attempt, command = _own(task_id, command_id, actor)
    expects = require(actor, "task.steer", task.workspace_id)
    if command.state != "open":
        raise Conflict("It was asked already. Stop it instead, while it runs.", code="not_queued", state=command.state)
    decision = _withdrawn(command, attempt)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            expects,
            (*decision.writes, *_busy(task, timezone.now())),
            tuple(decision.facts),
            operation,
            verb="steer.withdraw",
            answer={"id": str(command.pk), "state": WITHDRAWN},
        )
    )


def stop_steer(task_id: UUID, command_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Stop a steered turn that runs; what it said so far stays. Its answer says when it has stopped."""
    task, attempt, command = _own(task_id, command_id, actor)
    expects = require(actor, "task.steer", task.workspace_id)
    if command.state != "sent" or command.session is None:
        said = "It has not begun; take it back instead." if command.state == "open" else "It is over already."
        raise Conflict(said, code="not_running", state=command.state)
    now = timezone.now()
    decision = Decision() if asked_to_stop(command) else ask_to_stop(command.session, attempt, now, turn=command)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (*expects, Expect("clawgroups.Command", command.pk, {"state": "sent"})),
            (*decision.writes, *_busy(task, now)),
            operation=operation,
            verb="steer.stop",
            answer={"id": str(command.pk), "state": "stopping"},
            wakes=tuple(decision.wakes),
        )
    )


def _own(task_id: UUID, command_id: UUID, actor: Actor) -> tuple[Task, Attempt, Command]:
    task, attempt = held(task_id, actor, "task.steer")
    rows = Command.objects.select_related("session").filter(pk=command_id, attempt=attempt, purpose=STEER)
    command = rows.first()
    if command is None:
        raise NotFound("You have not asked this in this task.")
    return task, attempt, command


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that was asked in an attempt, and what came of it."""

    command: Command
    said: str
    # queued, running, over, withdrawn, cut_off
    state: str
    outcome: str = ""
    draft: int | None = None
    error: str = ""
    stopping: bool = False


def asked_in(attempt: Attempt, most: int = MAX_LISTED) -> list[Asked]:
    """What was asked in this attempt, the newest first."""
    rows = Command.objects.filter(attempt=attempt, purpose=STEER).order_by("-created_at", "-pk")
    return [_shown(one) for one in rows[:most]]


def _shown(command: Command) -> Asked:
    answer = command.answer
    outcome = str(answer.get("outcome", ""))
    state = {"open": "queued", "sent": "running"}.get(command.state, "over")
    if outcome in (WITHDRAWN, "cut_off"):
        state = outcome
    error = answer.get("error", {}).get("message") or answer.get("said", "")
    return Asked(
        command,
        said_in(command),
        state,
        outcome,
        answer.get("draft"),
        str(error),
        stopping=command.state == "sent" and asked_to_stop(command),
    )
