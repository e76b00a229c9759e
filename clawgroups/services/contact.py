"""Verbs of the gateway on an agent's links: opened, ready, renewed, closed.

The socket is a lease: `seen_at` is renewed in bulk by the process that holds it, by the database's
time. Every write names the connection epoch it was made under, so that a replaced socket changes
nothing any more. What a link carries loses contact with it, and goes on where it comes back in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from agents.models import Agent, Announcement, Connection
from agents.protocol import version
from clawgroups import bus, commit
from clawgroups.core.actors import SYSTEM, Actor, ActorKind
from clawgroups.core.announced import kept
from clawgroups.core.changes import Change, Expect, Outcome, Put, Update, Write
from clawgroups.core.clocks import Sign
from clawgroups.core.errors import NotFound
from clawgroups.core.events import AgentOffline, AgentOnline
from clawgroups.core.timers import after
from clawgroups.keyed import row_of
from clawgroups.planned import Planned
from clawgroups.queries import unconfirmed_stops, unconfirmed_stops_in
from clawgroups.services import in_hand
from clawgroups.services.agents import everywhere, next_row
from clawgroups.services.attempts import Decision
from clawgroups.services.deadlines import database_now

# The lease of all processes together that hold agents' sockets: while it is not renewed, we are away.
GATEWAY = "gateway"
HEARTBEATS = 3  # that may be missed
ANNOUNCEMENTS = 10  # of an agent that are remembered
LOGIN_PATIENCE = 300.0  # seconds until an agent that needed a login is tried again


def open_connection(
    agent_id: UUID,
    *,
    key_id: UUID | None,
    link: UUID,
    extensions: Sequence[str] = (),
    client: Mapping[str, Any] | None = None,
    process: str = "",
    dial: int | None = None,
) -> Future[Outcome]:
    """A socket of the agent is open. Answer: {"epoch", "received"}; the newest connection wins.

    It came in by the key `key_id`, or we have dialled it under this epoch of its `dial`. Raises `NotFound` for a
    retired agent or a link id that belongs to another agent.
    """
    agent, known = row_of(Agent, agent_id), row_of(Connection, link)
    if agent is None or agent.retired_at is not None or (known is not None and known.agent_id != agent_id):
        raise NotFound("There is no such agent.")
    now, epoch = database_now(), agent.connection_epoch + 1
    back = _signs(agent, link, Sign.BACK, now)
    received = known.received if known else 0
    values = {
        "key_id": key_id,
        "epoch": epoch,
        "extensions": list(extensions),
        "client": {**(client or {}), **_closed_off(known), **_allowed(known)},
        "process": process,
        "opened_at": now,
        "seen_at": now,
        "ready_at": None,
        "closed_at": None,
        "close_reason": "",
    }
    expect = {"connection_epoch": agent.connection_epoch, "retired_at": None}
    by: list[Write] = []
    if key_id is not None:
        by.append(Update("agents.AgentKey", key_id, {"last_used_at": now}, {"revoked_at": None}))
    if dial is not None:
        by.append(Update("agents.Dial", agent_id, {"state": "connected", "since": now, "said": ""}, {"epoch": dial}))
    return commit.submit(
        Change(
            _agent_actor(agent),
            expects=(Expect("agents.Connection", link, {"received": received}),) if known else (),
            writes=(
                *by,
                Update("agents.Agent", agent.pk, {"connection_epoch": epoch}, expect),
                Put("agents.Connection", link, values, {"agent_id": agent.pk, "received": 0}),
                *back.writes,
            ),
            facts=tuple(back.facts),
            verb="agent.connect",
            answer={"epoch": epoch, "received": received},
            wakes=(bus.agent_topic(agent.pk),),
        )
    )


def _closed_off(known: Connection | None) -> dict[str, str]:
    """When this link was closed since its agent did not confirm a stop: remembered as long as it comes back."""
    if known is None:
        return {}
    if known.close_reason == version.IGNORED_STOP and known.closed_at is not None:
        return {"closed_off": known.closed_at.isoformat()}
    return {"closed_off": known.client["closed_off"]} if "closed_off" in known.client else {}


def _allowed(known: Connection | None) -> dict[str, Any]:
    """What its owner allows: known from the link's last socket until this one says it."""
    return {} if known is None or "policy" not in known.client else {"policy": known.client["policy"]}


def policy_told(link: UUID, *, epoch: int, policy: Mapping[str, Any]) -> Future[Outcome]:
    """The connector says what the owner of its machine allows there: to be shown, and never authority."""
    connection = _connection(link)
    values = {"client": {**connection.client, "policy": dict(policy)}}
    expect = {"epoch": epoch, "closed_at": None, "client": connection.client}
    writes = (Update("agents.Connection", link, values, expect),)
    return commit.submit(Change(_agent_actor(connection.agent), writes=writes, verb="agent.policy_told"))


def connection_ready(link: UUID, *, epoch: int, announced: Mapping[str, Any]) -> Future[Outcome]:
    """`initialize` was answered: the agent is online with what it announced, which is kept where it is news."""
    connection = _connection(link)
    agent = connection.agent
    now = timezone.now()
    return commit.submit(
        Change(
            _agent_actor(agent),
            writes=(
                Update(
                    "agents.Connection",
                    link,
                    {"ready_at": now},
                    {"epoch": epoch, "closed_at": None},
                ),
                Update("agents.Agent", agent.pk, {"announced": dict(announced)}),
                *_news(agent, announced, now),
            ),
            facts=everywhere(agent.pk, AgentOnline(agent_id=agent.pk)),
            verb="agent.ready",
            answer={"agent": str(agent.pk)},
        )
    )


def _news(agent: Agent, announced: Mapping[str, Any], now: datetime) -> list[Put]:
    """What is announced, unless it is what was announced before."""
    before = Announcement.objects.filter(agent=agent)
    latest, said = before.first(), kept(announced)
    if latest is not None and latest.said == said:
        return []
    row = next_row(before, ANNOUNCEMENTS)
    return [Put("agents.Announcement", row, {"at": now, "said": said}, {"agent_id": agent.pk})]


def login_needed(link: UUID, *, epoch: int, needed: bool, message: str = "") -> Future[Outcome]:
    """The agent says that its owner must sign in on the agent's own machine, or that this is over."""
    connection = _connection(link)
    agent = connection.agent
    said = {key: value for key, value in agent.announced.items() if key != "needs_login"}
    if needed:
        since = timezone.now().isoformat()
        said["needs_login"] = {"message": message, "methods": said.get("auth_methods", []), "since": since}
    return commit.submit(
        Change(
            _agent_actor(agent),
            expects=(Expect("agents.Connection", link, {"epoch": epoch, "closed_at": None}),),
            writes=(Update("agents.Agent", agent.pk, {"announced": said}, {"announced": agent.announced}),),
            verb="agent.login_needed",
        )
    )


def login_is_needed(announced: Mapping[str, Any], now: datetime) -> bool:
    """Whether to leave an agent alone because of a login. Nobody tells us of one, so it is tried again."""
    needs = announced.get("needs_login")
    if not needs:
        return False
    patience = timedelta(seconds=LOGIN_PATIENCE * settings.CLOCK_SCALE)
    return now < datetime.fromisoformat(needs["since"]) + patience


def close_connection(link: UUID, *, epoch: int, reason: str, at: datetime | None = None) -> Future[Outcome]:
    """The socket is gone (`at`: it is noticed now), and with it the contact to what it carries.

    A newer socket of the same link, or of the agent, is not touched by this.
    """
    connection = _connection(link)
    agent = connection.agent
    now = at or database_now()
    values = {"closed_at": now, "close_reason": reason[:200]}
    latest = agent.connection_epoch == epoch
    lost = _signs(agent, link, Sign.LOST, now) if latest else Decision()
    offline = latest and connection.ready_at is not None
    facts = everywhere(agent.pk, AgentOffline(agent_id=agent.pk)) if offline else ()
    return commit.submit(
        Change(
            _agent_actor(agent),
            writes=(
                Update("agents.Connection", link, values, {"epoch": epoch, "closed_at": None}),
                *lost.writes,
            ),
            facts=(*facts, *lost.facts),
            verb="agent.disconnect",
            answer={},
        )
    )


def _signs(agent: Agent, link: UUID, sign: Sign, now: datetime) -> Decision:
    """What this link carries has contact again, or no more."""
    before = "lost" if sign is Sign.BACK else "live"
    decision = Decision()
    for attempt in in_hand.carried_by(agent.pk, link):
        if attempt.contact == before:
            decision.add(in_hand.decided(attempt, sign, now))
    return decision


def renew_connections(held: Mapping[UUID, int], *, every: float = 10.0) -> Future[Outcome]:
    """Renew the leases of the links (link -> epoch) that this process holds, and say that it is there.

    A process that holds none says so too: only when none is heard of for some time are we away.
    """
    now = database_now()
    rows = dict(Connection.objects.filter(pk__in=list(held), closed_at=None).values_list("pk", "epoch"))
    links = [
        Update("agents.Connection", link, {"seen_at": now}) for link, epoch in held.items() if rows.get(link) == epoch
    ]
    until = now + timedelta(seconds=HEARTBEATS * every)
    beat = Put("clawgroups.Lease", GATEWAY, {"owner": bus.PROCESS, "until": until, "done_at": now})
    return commit.submit(Change(SYSTEM, writes=(*links, beat), verb="agent.renew"))


def lost_links(silent_since: datetime) -> list[Connection]:
    """Open links whose lease ran out: their process died without saying so."""
    return _silent(silent_since)


_silent: Planned[Connection] = Planned(
    lambda since: Connection.objects.select_related("agent").filter(closed_at=None, seen_at__lte=since)
)


def unconfirmed(agents: Iterable[UUID]) -> dict[UUID, datetime]:
    """Those of these agents that did not confirm a stop, each with when its socket of that time is closed.

    They get nothing new until the turn is answered, or their program is gone and with it the turn.
    """
    return _until_closed(unconfirmed_stops(agents))


def unconfirmed_in(workspace_id: UUID) -> dict[UUID, datetime]:
    """The same of the agents that have a seat there."""
    return _until_closed(unconfirmed_stops_in(workspace_id))


def _until_closed(rows: Sequence[tuple[UUID, UUID, datetime]]) -> dict[UUID, datetime]:
    timers = in_hand.timers_by(workspace_id for _, workspace_id, _ in rows) if rows else {}
    return {
        agent_id: after(ended_at, timers[workspace_id].cancel_grace + timers[workspace_id].cancel_close)
        for agent_id, workspace_id, ended_at in rows
    }


def _connection(link: UUID) -> Connection:
    found = row_of(Connection, link, "agent")
    if found is None:
        raise NotFound("There is no such link.")
    return found


def _agent_actor(agent: Agent) -> Actor:
    return Actor(ActorKind.AGENT, agent.name, agent_id=agent.pk)
