"""The rows a gateway looks at: always by agent and link, so that no agent can name another's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from agents.models import AgentKey, Connection
from agents.protocol import version
from clawgroups.models import Approval, Command, Session
from clawgroups.planned import Planned
from clawgroups.services.contact import unconfirmed
from clawgroups.services.sessions import links_lost, may_go_to, open_commands

MOST_SESSIONS = 1000
RETIRED = "The agent was retired."
LINK = ("epoch", "closed_at", "opened_at", "agent__retired_at", "agent__connection_epoch")
TURNS = ("work", "acknowledge", "steer")


@dataclass(frozen=True, slots=True)
class Held:
    """A socket this process holds: which link it carries for which agent, and the key it came in by (None: dialled)."""

    agent_id: UUID
    link: UUID
    epoch: int
    key_id: UUID | None


@dataclass(frozen=True, slots=True)
class Look:
    """What the rows say about a held socket."""

    # In the order in which they are to be sent.
    owed: tuple[Command, ...] = ()
    close: int = 0
    reason: str = ""
    ends_at: datetime | None = None
    """When the key that it came in by is no longer valid."""


_keys: Planned[Any] = Planned(
    lambda keys: AgentKey.objects.filter(pk__in=keys).values_list("pk", "revoked_at", "expires_at")
)
_links: Planned[Any] = Planned(lambda links: Connection.objects.filter(pk__in=links).values_list("pk", *LINK))
_task_key: Planned[Any] = Planned(
    lambda session_id: Session.objects.filter(pk=session_id).values_list("task__key", flat=True)
)


_sessions_on: Planned[Any] = Planned(
    lambda agent_id, link: (
        Session.objects.filter(agent_id=agent_id, link=link)
        .exclude(acp_id="")
        .order_by("-opened_at")
        .values_list("acp_id", "pk", "told__children")[:MOST_SESSIONS]
    )
)
_called: Planned[Any] = Planned(
    lambda agent_id, link, acp_id: (
        Session.objects.filter(agent_id=agent_id, link=link, acp_id=acp_id)
        .order_by("-opened_at")
        .values_list("pk", flat=True)[:1]
    )
)
_given_up: Planned[Command] = Planned(
    lambda agent_id, link: (
        Command.objects.select_related("session")
        .filter(agent_id=agent_id, link=link, state="interrupted", purpose__in=TURNS)
        .order_by("-created_at")[:MOST_SESSIONS]
    )
)


def look(held: Mapping[UUID, Held]) -> dict[UUID, Look]:
    """For each held socket: what is owed to its agent, and must it go?"""
    keys, links = {one.key_id for one in held.values() if one.key_id}, {one.link for one in held.values()}
    seen = _Seen(
        timezone.now(),
        {pk: row for pk, *row in _keys(keys)},
        {pk: row for pk, *row in _links(links)},
        _owed(held),
        unconfirmed(held),
    )
    return {agent_id: seen.of(one) for agent_id, one in held.items()}


def _owed(held: Mapping[UUID, Held]) -> dict[UUID, list[Command]]:
    owed: dict[UUID, list[Command]] = {}
    for command in open_commands(held):
        if may_go_to(command, held[command.agent_id].link):
            owed.setdefault(command.agent_id, []).append(command)
    return owed


@dataclass(frozen=True, slots=True)
class _Seen:
    """Columns of the rows behind held sockets; plain values, since every socket is looked at every two seconds."""

    now: datetime
    keys: dict[UUID, list[Any]]
    links: dict[UUID, list[Any]]
    owed: dict[UUID, list[Command]]
    unconfirmed: dict[UUID, datetime]

    def of(self, one: Held) -> Look:
        revoked_at, expires_at = self.keys.get(one.key_id, (self.now, None)) if one.key_id else (None, None)
        link = self.links.get(one.link)
        # A link's row goes only with its agent's.
        if link is None or link[3] is not None:
            return Look(close=version.CLOSE_REFUSED, reason=RETIRED)
        link_epoch, closed_at, opened_at, _, agent_epoch = link
        if revoked_at is not None or (expires_at is not None and expires_at <= self.now):
            return Look(close=version.CLOSE_REFUSED, reason="The agent's key is no longer valid.")
        if link_epoch != one.epoch:
            # The same child came back on another socket: this one is only a remainder.
            return Look(close=version.CLOSE_NORMAL, reason="This link goes on elsewhere.")
        if agent_epoch != one.epoch:
            return Look(close=version.CLOSE_REPLACED, reason="Another connector came in for this agent.")
        if closed_at is not None:
            return Look(close=version.CLOSE_DRAINING, reason="The link was given up as silent.")
        if self._ignores_a_stop(one.agent_id, opened_at):
            return Look(close=version.CLOSE_UNRESPONSIVE, reason=version.IGNORED_STOP)
        return Look(owed=tuple(self.owed.get(one.agent_id, ())), ends_at=expires_at)

    def _ignores_a_stop(self, agent_id: UUID, opened_at: datetime) -> bool:
        """Whether a stop was ignored for too long by this very socket; the next one is given its own chance."""
        over = self.unconfirmed.get(agent_id)
        return over is not None and opened_at < over <= self.now


def sessions_on(agent_id: UUID, link: UUID) -> tuple[dict[str, UUID], dict[str, UUID]]:
    """The sessions of a link by the agent's own ids, newest last; also given-up ones, whose words are evidence.

    And their child sessions, each with its parent.
    """
    listed = list(reversed(_sessions_on(agent_id, link)))
    children = {child: pk for _, pk, told in listed if isinstance(told, dict) for child in told}
    return {acp_id: pk for acp_id, pk, _ in listed}, children


def session_called(agent_id: UUID, link: UUID, acp_id: str) -> UUID | None:
    """The session of a link that its agent calls so."""
    return _called.first(agent_id, link, acp_id) if acp_id else None


def task_key(session_id: UUID) -> str:
    """How a session's task is called in its plan: its agent's machine names the branch of its work by it."""
    return _task_key.first(session_id) or ""


def given_up(agent_id: UUID, link: UUID) -> list[Command]:
    """Prompts of this link that were given up while it was away: the agent may still be at it."""
    return _given_up(agent_id, link)


def sessions_elsewhere(agent_id: UUID, link: UUID) -> list[tuple[UUID, UUID]]:
    """Sessions of this agent on other links, with their attempts; also those that another link was asked to open."""
    asked = _opening_elsewhere(agent_id, link)
    return [*links_lost(agent_id, link), *((pk, at) for pk, at in asked if pk is not None)]


def sessions_of(agent_id: UUID, link: UUID) -> list[tuple[UUID, UUID]]:
    """Sessions that lived on this link, with their attempts; also those it was asked to open."""
    asked = _opening(Q(agent_id=agent_id, link=link))
    living = Session.objects.filter(agent_id=agent_id, link=link, state="open").values_list("pk", "attempt_id")
    return [*living, *((pk, at) for pk, at in asked if pk is not None)]


def _opening(which: Q) -> QuerySet[Any, Any]:
    commands = Command.objects.filter(which, purpose="open", state="sent", session__state="opening")
    return commands.values_list("session_id", "session__attempt_id")


_opening_elsewhere: Planned[Any] = Planned(lambda agent_id, link: _opening(Q(agent_id=agent_id) & ~Q(link=link)))


def asked_on(agent_id: UUID, link: UUID, command_id: UUID) -> Command | None:
    """A request that was sent on this link and whose answer still means something, whoever sent it."""
    asked = Command.objects.select_related("session").filter(pk=command_id, agent_id=agent_id, link=link)
    return asked.filter(state__in=("sent", "interrupted")).first()


def to_repeat(agent_id: UUID, link: UUID) -> list[Command]:
    """Cancels and replies that may have been lost with the last socket of this link.

    Only of turns that still run: a cancel must never meet a later turn. The connector passes a
    reply on once; of an agent that uses an id again only the last, and none while it asks under that id.
    """
    turns = {
        command.session_id: command.sent_at
        for command in Command.objects.filter(agent_id=agent_id, link=link, state="sent", purpose__in=TURNS)
        if command.session_id is not None
    }
    sent = Command.objects.filter(
        agent_id=agent_id, link=link, state="answered", purpose__in=("cancel", "reply"), session_id__in=list(turns)
    ).order_by(F("created_at"), "pk")
    repeated = [
        command
        for command in sent
        if command.session_id is not None
        and (began := turns[command.session_id]) is not None
        and command.sent_at is not None
        and command.sent_at >= began
    ]
    asked = Approval.objects.filter(session__agent=agent_id, session__link=link, state="open")
    over = {json.dumps(request_id) for request_id in asked.values_list("request_id", flat=True)}
    kept = []
    for command in reversed(repeated):
        answers = json.dumps(command.params.get("id")) if command.purpose == "reply" else str(command.pk)
        if answers not in over:
            over.add(answers)
            kept.append(command)
    return kept[::-1]


def approval_session(agent_id: UUID, link: UUID, request_id: object) -> UUID | None:
    """The session in which this link asked `request_id` and still waits for an answer."""
    rows = Session.objects.filter(agent_id=agent_id, link=link, approvals__state="open")
    for session_id, asked in rows.values_list("pk", "approvals__request_id"):
        if asked == request_id and type(asked) is type(request_id):
            return session_id
    return None
