"""Verbs that ask something of an agent itself, outside of any task: sign in, sign out, say which sessions it has."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from agents.models import Agent, Connection
from agents.protocol import acp
from agents.protocol.acp import Call
from clawgroups import bus, commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Insert, Outcome
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.models import Command
from clawgroups.permissions import get_agent

TERMINAL = "terminal"


def sign_in(agent_id: UUID, *, method: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have the agent sign in by a method that it announced; the rest happens on the agent's own machine.

    Raises `Invalid` for a method that it did not announce, or that its owner carries out in a terminal there.
    """
    agent = get_agent(actor, agent_id)
    methods = {str(one.get("id")): one for one in agent.announced.get("auth_methods", []) if isinstance(one, dict)}
    if method not in methods:
        raise Invalid("The agent announced no such way to sign in.", field="method")
    if methods[method].get("type") == TERMINAL:
        raise Invalid("This way needs a terminal on the agent's machine; run the command shown there.", field="method")
    return _ask(agent, "authenticate", acp.authenticate(method), actor, operation)


def sign_out(agent_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have the agent forget its login. Raises `Conflict` for one that cannot."""
    agent = get_agent(actor, agent_id)
    if agent.announced.get("logout") is not True:
        raise Conflict("This agent cannot sign out when asked; do it on its own machine.", code="not_offered")
    return _ask(agent, "logout", acp.logout(), actor, operation)


def list_sessions(agent_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Ask the agent which sessions it has stored. Raises `Conflict` for one that does not say."""
    agent = get_agent(actor, agent_id)
    if agent.announced.get("list_sessions") is not True:
        raise Conflict("This agent does not list its sessions.", code="not_offered")
    return _ask(agent, "list", acp.session_list(), actor, operation)


def _ask(agent: Agent, purpose: str, call: Call, actor: Actor, operation: str) -> Future[Outcome]:
    if not Connection.objects.filter(agent=agent, closed_at=None).exclude(ready_at=None).exists():
        raise Conflict("The agent is not connected now; start it first.", code="not_connected")
    if latest(agent.pk, purpose, "open", "sent") is not None:
        raise Conflict("It was asked already and has not answered yet.", code="asked_already")
    command = {
        "agent_id": agent.pk,
        "purpose": purpose,
        "method": call.method,
        "params": call.params,
        "created_at": timezone.now(),
    }
    pk = new_id()
    return commit.submit(
        Change(
            actor,
            expects=(Expect("agents.Agent", agent.pk, {"retired_at": None}),),
            writes=(Insert("clawgroups.Command", pk, command),),
            operation=operation,
            verb=f"agent.{purpose}",
            answer={"id": str(pk)},
            wakes=(bus.agent_topic(agent.pk),),
        )
    )


def latest(agent_id: UUID, purpose: str, *states: str) -> Command | None:
    """The last request of this kind to an agent, of those in one of these states."""
    asked = Command.objects.filter(agent_id=agent_id, purpose=purpose)
    return (asked.filter(state__in=states) if states else asked).order_by("-created_at").first()
