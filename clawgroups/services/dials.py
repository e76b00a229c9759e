"""Verbs on where an agent is dialled: its owner's, and an administrator's word about private networks."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.conf import settings

from agents.models import Agent, Dial
from clawgroups import bus, commit, sealing
from clawgroups.core.actors import Actor
from clawgroups.core.addresses import read_address
from clawgroups.core.changes import Change, Delete, Expect, Insert, Outcome, Update, Write
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.core.events import AgentProfileSet
from clawgroups.permissions import get_agent
from clawgroups.services.agents import audit_of, everywhere
from clawgroups.services.deadlines import database_now

MAX_SECRET = 4000


def set_dial(
    agent_id: UUID, *, address: str, secret: str | None = None, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Dial this agent at `address` from now on, with `secret` as its bearer; None keeps the one it has, "" drops it.

    Raises `Invalid` for an address that cannot be one, and for another machine whose key is not given anew: a key
    never goes to anybody but whom it was given for.
    """
    agent = get_agent(actor, agent_id)
    wanted = read_address(address, plain=settings.DIAL_PLAIN)
    known = Dial.objects.filter(pk=agent.pk).first()
    same = known is not None and read_address(known.address, plain=True).origin == wanted.origin
    if secret is None and known is not None and known.secret and not same:
        raise Invalid("This is another machine: enter its key again, or say that it needs none.", field="secret")
    values: dict[str, Any] = {"address": str(wanted), **_due()}
    if secret is not None:
        values["secret"] = sealing.seal(_clean_secret(secret), purpose=purpose(agent.pk))
    if known is None or known.address != str(wanted):
        values["private"] = False  # what was allowed was that address, and no other
    write: Write = (
        Insert("agents.Dial", agent.pk, {"agent_id": agent.pk, **values})
        if known is None
        else Update("agents.Dial", agent.pk, {**values, "epoch": known.epoch + 1}, {"epoch": known.epoch})
    )
    return _submit(actor, agent, write, "agent.set_dial", operation, {"address": str(wanted)})


def remove_dial(agent_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Dial this agent no more; the address and its key are forgotten, and the connection is closed."""
    agent = get_agent(actor, agent_id)
    dial = _dial_of(agent)
    return _submit(actor, agent, Delete("agents.Dial", dial.pk), "agent.remove_dial", operation)


def retry_dial(agent_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Try again now. Raises `Conflict` where somebody is at it, or it is connected."""
    agent = get_agent(actor, agent_id)
    dial = _dial_of(agent)
    if dial.state not in ("waiting", "refused"):
        raise Conflict("It is being dialled, or connected already.")
    again = Update("agents.Dial", dial.pk, {**_due(), "epoch": dial.epoch + 1}, {"epoch": dial.epoch})
    return _submit(actor, agent, again, "agent.retry_dial", operation)


def allow_private(agent_id: UUID, *, allowed: bool, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Staff: whether the present address of this agent may lead into a private network. Another one asks anew."""
    if not actor.is_staff:
        raise Forbidden("Only an administrator of this installation can allow addresses in private networks.")
    agent = get_agent(actor, agent_id)
    dial = _dial_of(agent)
    values = {**_due(), "private": allowed, "epoch": dial.epoch + 1}
    write = Update("agents.Dial", dial.pk, values, {"epoch": dial.epoch, "address": dial.address})
    return _submit(actor, agent, write, "agent.allow_private", operation, {"allowed": allowed})


def purpose(agent_id: UUID) -> str:
    """What an agent's key is sealed for."""
    return f"dial:{agent_id}"


def _submit(
    actor: Actor, agent: Agent, write: Write, verb: str, operation: str, answer: dict[str, Any] | None = None
) -> Future[Outcome]:
    return commit.submit(
        Change(
            actor,
            expects=(Expect("agents.Agent", agent.pk, {"retired_at": None}),),
            writes=(write,),
            facts=everywhere(agent.pk, AgentProfileSet(agent_id=agent.pk, name=agent.name)),
            operation=operation,
            verb=verb,
            answer={"id": str(agent.pk), **(answer or {})},
            audits=(audit_of(verb, agent.pk, name=agent.name, **(answer or {})),),
            wakes=(bus.dials_topic(),),
        )
    )


def _dial_of(agent: Agent) -> Dial:
    dial = Dial.objects.filter(pk=agent.pk).first()
    if dial is None:
        raise Conflict("This agent is not dialled. Give it an address first.")
    return dial


def _due() -> dict[str, Any]:
    """From the beginning, now, and whoever was at it is so no more."""
    now = database_now()
    return {
        "state": "waiting",
        "said": "",
        "since": now,
        "tries": 0,
        "next_at": now,
        "process": "",
        "until": None,
    }


def _clean_secret(secret: str) -> str:
    """A bearer as it goes into a header; "Bearer " before it may stand or not."""
    cleaned = secret.strip()
    if cleaned.lower().startswith("bearer "):
        cleaned = cleaned[7:].strip()
    if len(cleaned) > MAX_SECRET or any(not "!" <= mark <= "~" for mark in cleaned):
        raise Invalid(f"A key is one word of at most {MAX_SECRET} letters, digits and signs.", field="secret")
    return cleaned
