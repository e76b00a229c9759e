"""The crowd's people and agents as rows: registered, seated, and most of them online. Used by `crowd`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.models import User

from agents.ids import new_id
from agents.models import Agent, Connection, Skill
from clawgroups.core.actors import Role
from clawgroups.models import Member, Workspace
from clawgroups.services import people as accounts
from tests.browser.crowd_words import PEOPLE, SKILLS, Speech, agent_name

LEASE = timedelta(days=30)
"""Nobody renews these links, so they last: whoever is online stays so."""
RESTING = {4: "open", 9: "quarantined", 14: "probing"}


@dataclass
class Team:
    """Who there is. `links`: the connection of each seat of an agent that is online."""

    workspace: Workspace
    people: list[Member] = field(default_factory=list)
    seats: list[Member] = field(default_factory=list)
    links: dict[object, Connection] = field(default_factory=dict)

    @property
    def free(self) -> list[Member]:
        """Agents that may be given work, once for each task that they can have at once."""
        able = [seat for seat in self.seats if seat.pk in self.links and _agent(seat).breaker == "closed"]
        most = max((_agent(seat).max_sessions for seat in able), default=0)
        return [seat for turn in range(most) for seat in able if _agent(seat).max_sessions > turn]


def hired(workspace: Workspace, agents: int, people: int, speech: Speech, now: datetime) -> Team:
    """Everybody, written."""
    team = Team(workspace)
    users = _users(people)
    roles = [Role.OWNER, Role.ADMIN, *[Role.MEMBER] * len(users)]
    for user, role in zip(users, roles, strict=False):
        seat = _seat(workspace, user.get_full_name() or user.username, user.username, role, now, user=user)
        seat.skills, seat.capacity = {speech.random.choice(SKILLS): 4}, 1
        team.people.append(seat)
    crew = [_registered(workspace, number, users, now) for number in range(agents)]
    Agent.objects.bulk_create(crew, batch_size=500)
    Skill.objects.bulk_create([skill for n, one in enumerate(crew) for skill in _skills(one, n)], batch_size=500)
    team.seats = [_seat(workspace, one.name, one.handle, Role.AGENT, now, agent=one) for one in crew]
    Member.objects.bulk_create([*team.people, *team.seats], batch_size=500)
    for number, seat in enumerate(team.seats):
        if number % 25 != 24:  # every 25th has never been here
            team.links[seat.pk] = _link(_agent(seat), now, gone=number % 12 == 11)
    Connection.objects.bulk_create(team.links.values(), batch_size=500)
    team.links = {pk: link for pk, link in team.links.items() if link.closed_at is None}
    return team


def _agent(seat: Member) -> Agent:
    assert seat.agent is not None
    return seat.agent


def _users(count: int) -> list[User]:
    found = [accounts.ensure_first_person()]
    for username, name in PEOPLE[: count - 1]:
        first, _, last = name.partition(" ")
        found.append(
            User.objects.get_or_create(username=username, defaults={"first_name": first, "last_name": last})[0]
        )
    return found


def _registered(workspace: Workspace, number: int, owners: Sequence[User], now: datetime) -> Agent:
    name = agent_name(number)
    resting = RESTING.get(number % 90, "closed")
    reason = "It failed 3 of its last 5 tasks" if resting != "closed" else ""
    return Agent(
        owner=owners[number % len(owners)],
        name=name,
        handle=f"{name.replace(' ', '-').lower()}-{workspace.pk.hex[-6:]}",
        max_sessions=2 if number % 9 == 0 else 1,
        model=("kimi-k2.6", "opencode", "gemini-cli")[number % 3],
        breaker=resting,
        breaker_until=now + LEASE if resting == "open" else None,
        health={"reason": reason, "recent": [False, False, True]} if reason else {},
        connection_epoch=1,
        created_at=now - timedelta(days=number % 40),
    )


def _skills(agent: Agent, number: int) -> list[Skill]:
    own, other = SKILLS[number % len(SKILLS)], SKILLS[(number + 1 + number // 7) % len(SKILLS)]
    levels = {own: 3 + number % 3, other: 1 + number % 2} if own != other else {own: 3 + number % 3}
    return [Skill(agent=agent, name=name, level=level) for name, level in levels.items()]


def _seat(
    workspace: Workspace,
    name: str,
    handle: str,
    role: Role,
    now: datetime,
    user: User | None = None,
    agent: Agent | None = None,
) -> Member:
    return Member(
        workspace=workspace,
        name=name[:80],
        handle=handle,
        role=role.value,
        user=user,
        agent=agent,
        joined_at=now - timedelta(hours=3),
    )


def _link(agent: Agent, now: datetime, *, gone: bool) -> Connection:
    left = now - timedelta(minutes=17) if gone else None
    return Connection(
        pk=new_id(),
        agent=agent,
        epoch=1,
        process="crowd",
        opened_at=now - timedelta(hours=2),
        ready_at=now - timedelta(hours=2),
        seen_at=left or now + LEASE,
        closed_at=left,
        close_reason="the machine went to sleep" if gone else "",
    )
