"""Letting an agent's machine in for the first time: a short code, copied once, against a key that the machine brings.

The key is made on that machine and its secret is sent here once: an answer that is lost on the way is asked for again
with the same key, and nothing is half registered.
"""

from __future__ import annotations

import hmac
import shlex
from concurrent.futures import Future
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from agents import tokens
from agents.ids import new_id
from agents.models import Agent, Enrolment
from agents.protocol import codes
from agents.tokens import MintedKey
from clawgroups import bus, commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Delete, Expect, Insert, Outcome, Update, Write
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.permissions import get_agent
from clawgroups.services.agents import audit_of, key_row

LIFETIME = timedelta(hours=1)
_NEW = "Make a new line on the agent's page."


def offer(agent_id: UUID, *, code: MintedKey, launcher: str = "", actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have an agent's machine let in by `code` (`tokens.mint_code`) within the hour; an older unused one is void.

    Answer: {"id", "expires_at"}.
    """
    agent = get_agent(actor, agent_id)
    pk, now = new_id(), timezone.now()
    until = now + LIFETIME
    values = {
        "agent_id": agent.pk,
        "digest": code.digest,
        "launcher": launcher[:40],
        "created_at": now,
        "expires_at": until,
    }
    older = Enrolment.objects.filter(agent=agent, used_at=None).values_list("pk", flat=True)
    return commit.submit(
        Change(
            actor,
            expects=(Expect("agents.Agent", agent.pk, {"retired_at": None}),),
            writes=(*(Delete("agents.Enrolment", one) for one in older), Insert("agents.Enrolment", pk, values)),
            operation=operation,
            verb="agent.offer_enrolment",
            answer={"id": str(pk), "expires_at": until.isoformat()},
            audits=(audit_of("agent.code_made", agent.pk, name=agent.name, until=until.isoformat()),),
        )
    )


def connect_line(code: str, base_url: str, command: str = "") -> str:
    """The line that a machine with `clawgroups` on it runs; without `command` the launcher's program is started."""
    after = f" -- {command}" if command else ""
    return f"clawgroups connect {shlex.quote(base_url)} --code {code}{after}"


def fetch_line(code: str, base_url: str, command: str = "") -> str:
    """The line for a machine that has nothing but Python."""
    fetched = f"curl -fsSL {shlex.quote(f'{base_url}/connect.pyz')} -o connect.pyz"
    return f"{fetched} && {connect_line(code, base_url, command).replace('clawgroups', 'python3 connect.pyz', 1)}"


def find(code: str) -> Enrolment:
    """The enrolment that a code means, whatever became of it, with its agent. Raises `NotFound`."""
    digest = tokens.digest(codes.read_code(code))
    found = Enrolment.objects.filter(digest=digest).select_related("agent", "key").first()
    if found is None or found.agent.retired_at is not None:
        raise NotFound(f"This code is not known here. {_NEW}", code="unknown_code")
    return found


def enrol(code: str, *, secret: str) -> Future[Outcome]:
    """A machine brings the key `secret` (`cg_…`) by a code. Answer: {"agent", "name", "handle", "launcher"}.

    The same key again gets the same answer. Raises `NotFound`, `Invalid` for what is no key, and `Conflict`
    (`code_used`, `code_expired`) saying what to do.
    """
    if not codes.is_key(secret):
        raise Invalid("That is not a key of an agent.", field="key")
    found, key = find(code), tokens.brought(secret)
    if found.used_at is not None:
        return commit.submit(Change(_machine(found.agent), verb="agent.enrol", answer=_again(found, key)))
    now = timezone.now()
    if found.expires_at <= now:
        raise Conflict(f"This code is over: it was good for an hour. {_NEW}", code="code_expired")
    row = key_row(found.agent_id, key, now)
    writes: tuple[Write, ...] = (
        row,
        Update("agents.Enrolment", found.pk, {"used_at": now, "key_id": row.pk}, {"used_at": None}),
    )
    return commit.submit(
        Change(
            _machine(found.agent),
            expects=(Expect("agents.Agent", found.agent_id, {"retired_at": None}),),
            writes=writes,
            verb="agent.enrol",
            answer=_answer(found),
            audits=(audit_of("agent.enrolled", found.agent_id, name=found.agent.name, key=key.public_id),),
            wakes=(bus.agent_topic(found.agent_id),),
        )
    )


def _again(found: Enrolment, key: MintedKey) -> dict[str, str]:
    """The answer of before, to whoever brings the key of before while it is good."""
    if found.key is None or not hmac.compare_digest(found.key.digest, key.digest):
        raise Conflict(f"This code has been used already. {_NEW}", code="code_used")
    if found.key.revoked_at is not None:
        raise Conflict(f"The key that came by this code has been revoked. {_NEW}", code="code_used")
    return _answer(found)


def _machine(agent: Agent) -> Actor:
    """Whoever has the code acts for the agent, as if it had come in by a key."""
    return Actor(ActorKind.AGENT, agent.name, agent_id=agent.pk)


def _answer(found: Enrolment) -> dict[str, str]:
    agent = found.agent
    return {"agent": str(agent.pk), "name": agent.name, "handle": agent.handle, "launcher": found.launcher}
