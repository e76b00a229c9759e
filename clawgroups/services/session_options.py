"""Verbs on the options of agents' sessions: model, mode, how much an agent thinks."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from uuid import UUID

from django.utils import timezone

from clawgroups import bus, commit
from clawgroups.core import session_state
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Fact, Outcome, Update
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.core.task_events import SessionOptionSet
from clawgroups.models import Session, Task
from clawgroups.permissions import get_agent, get_task, require
from clawgroups.services.openings import set_command


def session_at_work(task: Task) -> Session | None:
    """The session in which a task's agent works now, or worked last."""
    if task.attempt_id is None:
        return None
    return Session.objects.select_related("agent").filter(attempt=task.attempt_id).order_by("-opened_at").first()


def set_option(task_id: UUID, *, option: str, value: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Choose one of the options that the session at work offers, from its next turn on at the latest.

    Raises `Invalid` for what it does not offer, `Forbidden` for a mode in which the agent would not ask any more
    where the actor is not its owner: it acts on the owner's machine.
    """
    task = get_task(actor, task_id, "session.set_option")
    expects = require(actor, "session.set_option", task.workspace_id)
    session = session_at_work(task)
    if session is None or session.state != "open":
        raise Conflict("No agent has a session open for this task now.", code="no_session")
    chosen, wanted = session_state.chosen_value(session.told, option, value)
    if session_state.is_loose(chosen, wanted) and not (actor.is_staff or session.agent.owner_id == actor.user_id):
        raise Forbidden("In this mode it acts on its owner's machine without asking: only its owner can choose that.")
    fact = SessionOptionSet(
        task_id=task.pk, attempt_id=session.attempt_id, option=chosen["name"], value=str(wanted)[:200]
    )
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (*expects, Expect("clawgroups.Session", session.pk, {"state": "open"})),
            (set_command(session, chosen, wanted, timezone.now()),),
            (Fact(task.workspace_id, fact),),
            operation,
            verb="session.set_option",
            answer={"id": str(task.pk), "option": option, "value": wanted},
            wakes=(bus.agent_topic(session.agent_id),),
        )
    )


def set_preferences(agent_id: UUID, *, values: Mapping[str, str], actor: Actor, operation: str = "") -> Future[Outcome]:
    """What is set in each new session of an agent, by option id; an empty value leaves the option to the agent.

    Raises `Invalid` for what its last session did not offer.
    """
    agent = get_agent(actor, agent_id)
    wanted: dict[str, str] = {}
    for option, value in values.items():
        if value:
            session_state.chosen_value({"options": agent.offered}, option, value)
            wanted[option] = value
    if len(wanted) > session_state.MAX_OPTIONS:
        raise Invalid("These are more options than a session has.", field="values")
    return commit.submit(
        Change(
            actor,
            writes=(Update("agents.Agent", agent.pk, {"preferences": wanted}, {"retired_at": None}),),
            operation=operation,
            verb="agent.set_preferences",
            answer={"id": str(agent.pk), "preferences": wanted},
        )
    )
