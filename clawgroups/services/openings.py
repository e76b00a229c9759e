"""What an agent's answers to `session/new`, load and resume mean, and what is set in a session before its work.

Modes and options are set by requests of their own, and the prompt waits for their answers (`gateway.pump`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from agents.ids import new_id
from agents.protocol import acp, version
from clawgroups import bus
from clawgroups.core import quotas, session_state
from clawgroups.core.changes import Fact, Insert, Update
from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_attempt, move_task
from clawgroups.core.task_events import TaskBegun
from clawgroups.core.timers import after
from clawgroups.keyed import row_of
from clawgroups.models import Attempt, Command, Session, Task
from clawgroups.services.attempts import Decision, end_attempt, fence, release
from clawgroups.services.deadlines import in_hand, timers_of, waits_in_hand
from clawgroups.services.ruling import has_critical
from clawgroups.services.tasks import prompt_command, told_rules

LOGIN_MISSING = "the agent needs a login on its own machine"
SCOPE_DENIED = -32016


def opened(
    command: Command,
    link: Any,
    result: Mapping[str, Any] | None,
    error: Mapping[str, Any] | None,
    begins: UUID | None = None,
) -> Decision:
    """A session is open: its options are set and its work is prompted. One that cannot go on begins anew, or fails.

    `begins`: the id of the prompt, where whoever holds the socket sends it as soon as this is committed: it counts as
    sent then, and has begun the work. Not so one that has to wait until options are set.
    """
    session, attempt = command.session, command.attempt
    assert session is not None
    assert attempt is not None
    if session.state == "closed":
        return Decision()  # its task was over before it was open
    acp_id = str((result or {}).get("sessionId") or "")[:200]
    task = current(attempt)
    if error is not None or not acp_id:
        if command.method in version.REOPENING and task is not None and not needs_login(error):
            return _begin_anew(command, session, error)
        closed = Update("clawgroups.Session", session.pk, {"state": "closed", "closed_at": timezone.now()})
        decision = Decision([closed])
        if task is not None:
            decision.add(failed(command, task, attempt, *_open_failure(error)))
        return decision
    told = {**session.told, **session_state.read_opened(result or {})}
    if (folder := session_state.folder_of(result or {}, command.params)) != told.get("folder", ""):
        told["folder"] = folder
    values: dict[str, Any] = {"state": "open", "acp_id": acp_id, "link": link}
    if told != session.told:
        values["told"] = told
    decision = Decision([Update("clawgroups.Session", session.pk, values, {"state": "opening"})])
    decision.add(_remembered(command, told))
    if task is not None:
        session.acp_id = acp_id
        decision.add(_prompted(command, session, task, attempt, told, link, begins))
    return decision


def _prompted(
    command: Command,
    session: Session,
    task: Task,
    attempt: Attempt,
    told: Mapping[str, Any],
    link: Any,
    begins: UUID | None,
) -> Decision:
    """What is asked of an agent in a session that it has just opened."""
    now = timezone.now()
    must_ask = has_critical(session.workspace_id, now)
    wanted = session_state.wanted_values(told, command.agent.preferences, must_ask=must_ask)
    decision = Decision([set_command(session, option, value, now) for option, value in wanted])
    prompt = prompt_command(task, attempt.brief, session)
    columns = {
        "agent_id": command.agent_id,
        "attempt_id": attempt.pk,
        "epoch": attempt.epoch,
        "created_at": now,
        **prompt,
    }
    decision.writes.append(Update("clawgroups.Attempt", attempt.pk, told_rules(task, prompt)))
    if begins is None or decision.writes[:-1] or attempt.state != "offered":
        decision.writes.append(Insert("clawgroups.Command", new_id(), columns))
        decision.wakes.append(bus.agent_topic(command.agent_id))
        return decision
    decision.writes.append(
        Insert("clawgroups.Command", begins, {**columns, "state": "sent", "link": link, "sent_at": now})
    )
    decision.add(begun(task, attempt, prompt["purpose"], now))
    return decision


def begun(task: Task, attempt: Attempt, purpose: str, now: datetime) -> Decision:
    """The first prompt of an attempt goes out, and makes its task work."""
    timers = timers_of(task.workspace)
    clocks = {
        # From here on it has to acknowledge a hand-back, if there is one.
        "start_by": after(now, timers.acknowledge) if purpose == "acknowledge" else None,
        "close_by": after(now, timers.start_to_close),
        "progress_at": now,
    }
    moved = {"state": move_attempt(attempt.state, AttemptVerb.BEGIN).value, "begun_at": now, **clocks}
    work = in_hand(attempt, begun=True, **clocks)
    working = {
        "state": move_task(task.state, TaskVerb.BEGIN).value,
        **waits_in_hand(task, work, attempt.member.name, now),
    }
    return Decision(
        [
            # What the task waits for was said of this contact, and the row may be as old as the last look.
            Update("clawgroups.Attempt", attempt.pk, moved, {"state": "offered", "contact": attempt.contact}),
            Update("clawgroups.Task", task.pk, working, fence(task)),
        ],
        [Fact(task.workspace_id, TaskBegun(task_id=task.pk, attempt_id=attempt.pk))],
    )


def _begin_anew(command: Command, session: Session, error: Mapping[str, Any] | None) -> Decision:
    """The agent does not have its old session any more: never silently, a new one in its place."""
    why = kind_of(error)[1] if error is not None else "it gave no answer that can be used"
    params = {key: value for key, value in command.params.items() if key != "sessionId"}
    columns = {
        "agent_id": command.agent_id,
        "session_id": session.pk,
        "attempt_id": command.attempt_id,
        "epoch": command.epoch,
        "purpose": "open",
        "method": version.SESSION_NEW,
        "params": params,
        "created_at": timezone.now(),
    }
    told = {"began_anew": why}
    return Decision(
        [
            Update("clawgroups.Session", session.pk, {"told": told, "acp_id": ""}, {"state": "opening"}),
            Insert("clawgroups.Command", new_id(), columns),
        ],
        [],
        [bus.agent_topic(command.agent_id)],
    )


def _remembered(command: Command, told: Mapping[str, Any]) -> Decision:
    """What sessions of this agent offer, so that its owner can choose before there is one."""
    offered = session_state.remembered(told)
    if offered == command.agent.offered:
        return Decision()
    return Decision([Update("agents.Agent", command.agent_id, {"offered": offered})])


def set_command(session: Session, option: Mapping[str, Any], value: str | bool, now: datetime) -> Insert:
    """The frame that sets one of a session's options, by the way in which the agent offers it."""
    if option["via"] == "modes":
        call = acp.set_mode(session.acp_id, str(value))
    else:
        call = acp.set_config_option(session.acp_id, option["id"], value)
    columns = {
        "agent_id": session.agent_id,
        "session_id": session.pk,
        "attempt_id": session.attempt_id,
        "purpose": "set",
        "method": call.method,
        "params": call.params,
        "created_at": now,
    }
    return Insert("clawgroups.Command", new_id(), columns)


def option_set(command: Command, result: Mapping[str, Any] | None, error: Mapping[str, Any] | None) -> Decision:
    """An option was set, or the agent refused to: either is shown with the session."""
    session = command.session
    assert session is not None
    option_id = str(command.params.get("configId") or session_state.MODE)
    value = command.params.get("value", command.params.get("modeId"))
    told = session_state.after_set(session.told, option_id, value, result, kind_of(error)[1] if error else "")
    # Only the one worker of a link writes here, one thing after the other.
    return Decision([Update("clawgroups.Session", session.pk, {"told": told})])


def _open_failure(error: Mapping[str, Any] | None) -> tuple[Failure, str]:
    if error is None:
        return Failure.MALFORMED, "the agent could not open a session: it gave no session id"
    failure, said = kind_of(error)
    return failure, said if failure is Failure.LOGIN_NEEDED else f"the agent could not open a session: {said}"


def kind_of(error: Mapping[str, Any]) -> tuple[Failure, str]:
    """The kind of an error that an agent answered with, and what it said."""
    if needs_login(error):
        return Failure.LOGIN_NEEDED, LOGIN_MISSING
    if quotas.is_quota(error):
        return Failure.OVER_QUOTA, str(error.get("message") or "its provider's quota is used up")[:300]
    kind = Failure.SCOPE_DENIED if error.get("code") == SCOPE_DENIED else Failure.ERROR
    return kind, str(error.get("message") or error.get("code"))[:300]


def needs_login(error: Mapping[str, Any] | None) -> bool:
    """Whether an agent answered that its owner has to sign in first."""
    return error is not None and error.get("code") in version.LOGIN_CODES


def failed(command: Command, task: Task, attempt: Attempt, failure: Failure, reason: str) -> Decision:
    """The attempt ends without a result, and its task goes on as this failure asks for."""
    now = timezone.now()
    decision = end_attempt(attempt, AttemptVerb.REFUSE, now, reason=reason, failure=failure, answered=command.pk)
    decision.add(release(task, now, reason=reason, failure=failure))
    return decision


def rests_for_quota(command: Command, error: Mapping[str, Any] | None, now: datetime) -> Decision:
    """An agent whose provider gives it no more for now is left alone until it does; nothing for any other answer."""
    if error is None or needs_login(error) or not quotas.is_quota(error):
        return Decision()
    agent = command.agent
    said = {**agent.announced, "quota": quotas.resting(error, now, settings.CLOCK_SCALE)}
    return Decision([Update("agents.Agent", agent.pk, {"announced": said}, {"announced": agent.announced})])


def task_of(attempt: Attempt) -> Task:
    """The task of an attempt, with what its change needs."""
    task = row_of(Task, attempt.task_id, "workspace", "run", "attempt")
    assert task is not None
    return task


def current(attempt: Attempt) -> Task | None:
    """The task, while this attempt is the one that may write to it."""
    task = task_of(attempt)
    live = attempt.state in ("offered", "working") and attempt.ended_at is None
    return task if live and task.epoch == attempt.epoch else None
