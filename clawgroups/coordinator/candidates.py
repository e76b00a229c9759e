"""Who may be given a task, or asked to do one, as the matching sees them: agents and people, read in bulk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import Count, TextField
from django.db.models.functions import Cast

from agents.models import Connection, Skill
from clawgroups.coordinator.history import history_of
from clawgroups.coordinator.parsed import parsed
from clawgroups.core import quotas
from clawgroups.core.breaker import Breaker, BreakerState
from clawgroups.core.breaker import read as read_breaker
from clawgroups.core.errors import Invalid
from clawgroups.core.hours import read_hours
from clawgroups.core.matching import OUT_OF_HOURS, QUARANTINED, RESTING, Candidate
from clawgroups.models import Attempt, Member, Workspace
from clawgroups.permissions import ACTIONS
from clawgroups.planned import Planned
from clawgroups.queries import agents_in, seats_of_agents
from clawgroups.services import budgets, contact
from clawgroups.services.asking import load_of
from clawgroups.services.deadlines import timers_of

MOST_AGENTS = 1024  # whose health is kept as it was read last


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent's seat in the workspace, with what of the agent counts for giving out work."""

    pk: UUID
    name: str
    agent_id: UUID
    owner_id: int
    owner: str
    max_sessions: int
    health: Breaker
    announced: Mapping[str, Any]
    budget: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PersonSeat:
    """A person's seat, with what they may be asked for."""

    pk: UUID
    user_id: int
    name: str
    role: str
    is_active: bool
    skills: Mapping[str, int]
    hours: Mapping[str, Any]
    capacity: int

    @property
    def may_be_asked(self) -> bool:
        """Whether they said that they may be asked, and may do a task."""
        return self.capacity > 0 and self.is_active and self.role in ACTIONS["task.take_over"].roles


def seats_of(workspace_id: UUID) -> list[Seat]:
    """The agents' seats."""
    # Columns, not models: a round of 300 agents reads them several times a second. What they say of themselves is much
    # the same each time, and as text it is parsed once.
    return [
        Seat(*(*row[:6], _breaker(*row[6:9]), *(parsed(text) for text in row[9:]))) for row in _seats_in(workspace_id)
    ]


_seats_in: Planned[Any] = Planned(
    lambda workspace_id: seats_of_agents(workspace_id).values_list(
        "pk",
        "name",
        "agent_id",
        "agent__owner_id",
        "agent__owner__username",
        "agent__max_sessions",
        "agent__breaker",
        "agent__breaker_until",
        Cast("agent__health", TextField()),
        Cast("agent__announced", TextField()),
        Cast("agent__budget", TextField()),
    )
)


@lru_cache(maxsize=MOST_AGENTS)
def _breaker(state: str, until: datetime | None, health: str) -> Breaker:
    return read_breaker(state, until, json.loads(health))


def people_of(workspace_id: UUID) -> list[PersonSeat]:
    """The people's seats."""
    return [PersonSeat(*row) for row in _people_in(workspace_id)]


_people_in: Planned[Any] = Planned(
    lambda workspace_id: Member.objects.filter(workspace_id=workspace_id, user__isnull=False, left_at=None).values_list(
        "pk", "user_id", "name", "role", "user__is_active", "skills", "hours", "capacity"
    )
)


# Load is counted over all workspaces: an agent is one program, wherever it sits.
_loads: Planned[tuple[UUID, int]] = Planned(
    lambda workspace_id: (
        Attempt.objects.filter(state__in=["offered", "working"], member__agent_id__in=agents_in(workspace_id))
        .order_by()
        .values_list("member__agent_id")
        .annotate(n=Count("pk"))
    )
)
# By keys: of a join PostgreSQL expects so few rows that it reads all of them once for each agent.
_online: Planned[UUID] = Planned(
    lambda agents, fresh: Connection.objects.filter(
        agent_id__in=agents, closed_at=None, ready_at__isnull=False, seen_at__gt=fresh
    ).values_list("agent_id", flat=True)
)
_skills: Planned[tuple[UUID, str, int]] = Planned(
    lambda workspace_id: Skill.objects.filter(agent_id__in=agents_in(workspace_id)).values_list(
        "agent_id", "name", "level"
    )
)


def candidates_of(
    workspace: Workspace, seats: Sequence[Seat], people: Sequence[PersonSeat], now: datetime
) -> tuple[Candidate, ...]:
    """Everybody who may come into question. The number of queries does not depend on how many they are."""
    asked = [one for one in people if one.may_be_asked]
    return (*_agents(workspace, seats, now), *(_people(asked, now) if asked else ()))


def _agents(workspace: Workspace, seats: Sequence[Seat], now: datetime) -> list[Candidate]:
    busy = dict(_loads(workspace.pk))
    fresh = now - timedelta(seconds=timers_of(workspace).lost_contact)
    online = set(_online([seat.agent_id for seat in seats], fresh)) if seats else set()
    unconfirmed = contact.unconfirmed_in(workspace.pk)
    skills: dict[UUID, dict[str, int]] = {}
    for agent_id, name, level in _skills(workspace.pk):
        skills.setdefault(agent_id, {})[name] = level
    history = history_of(workspace.pk, now)
    spent = budgets.agents_over({seat.agent_id: seat.budget for seat in seats if seat.budget}, now)
    return [
        Candidate(
            member_id=seat.pk,
            name=seat.name,
            skills=skills.get(seat.agent_id, {}),
            online=seat.agent_id in online,
            unconfirmed=seat.agent_id in unconfirmed,
            needs_login=contact.login_is_needed(seat.announced, now),
            busy=busy.get(seat.agent_id, 0),
            capacity=seat.max_sessions,
            failures=seat.health.failures,
            on_trial=seat.health.state is BreakerState.PROBING,
            rests=_rests(seat.health) or quotas.why_resting(seat.announced, now) or spent.get(seat.agent_id, ""),
            record=history.records.get(seat.pk, {}),
            cost=history.costs.get(seat.agent_id),
            usual_cost=history.usual_cost,
        )
        for seat in seats
    ]


def _people(people: Sequence[PersonSeat], now: datetime) -> list[Candidate]:
    """People with what they hold, and what they are asked for at the moment, in any workspace."""
    busy = load_of((one.user_id for one in people), now)
    return [
        Candidate(
            member_id=one.pk,
            name=one.name,
            skills=dict(one.skills),
            busy=busy[one.user_id],
            capacity=one.capacity,
            rests="" if _in_hours(one.hours, now) else OUT_OF_HOURS,
            is_person=True,
        )
        for one in people
    ]


def _in_hours(said: Mapping[str, Any], now: datetime) -> bool:
    try:
        hours = read_hours(said)
    except Invalid:
        return False
    return hours is None or hours.hold(now)


def _rests(health: Breaker) -> str:
    """Why an agent gets no work, as the matching says it."""
    if health.state is BreakerState.QUARANTINED:
        return QUARANTINED
    if health.state is not BreakerState.OPEN:
        return ""
    return RESTING if health.until is None else f"{RESTING}; it is tried again at {health.until:%H:%M:%S} UTC"
