"""Who sits in a workspace, whether they are here, and what they are at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from agents.models import Agent, Connection
from clawgroups.core.breaker import Breaker, read
from clawgroups.core.timers import Timers
from clawgroups.models import Attempt, Member
from clawgroups.planned import Planned
from clawgroups.queries import people_here, unconfirmed_by

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


@dataclass(frozen=True, slots=True)
class Seat:
    """A member with what is known of its presence."""

    member: Member
    presence: str = ""
    busy: int = 0
    doing: str = ""
    # It was asked to stop other work and has not confirmed it, so that it gets nothing new.
    ignores_stop: bool = False

    @property
    def agent(self) -> Agent | None:
        return self.member.agent

    @property
    def breaker(self) -> Breaker:
        """Whether an agent gets work."""
        agent = self.member.agent
        return Breaker() if agent is None else read(agent.breaker, agent.breaker_until, agent.health)

    @property
    def name(self) -> str:
        return self.member.name


def presences(ids: Iterable[UUID]) -> dict[UUID, str]:
    """`online`, `offline` or `never`, by agent: presence is a lease that must be renewed."""
    return {pk: presence(here, seen) for pk, here, seen in _present(list(ids), presence_since())}


def presence(is_online: bool, was_seen: bool) -> str:
    """How an agent's presence is called."""
    return "online" if is_online else "offline" if was_seen else "never"


def presence_since() -> datetime:
    """The moment that a connection must have been heard of since."""
    return timezone.now() - timedelta(seconds=Timers().scaled(settings.CLOCK_SCALE).lost_contact)


def _links(agent: str) -> QuerySet[Connection, Connection]:
    return Connection.objects.filter(agent=OuterRef(agent))


def _alive(agent: str, since: datetime) -> QuerySet[Connection, Connection]:
    return _links(agent).filter(closed_at=None, ready_at__isnull=False, seen_at__gte=since)


_present: Planned[tuple[UUID, bool, bool]] = Planned(
    lambda ids, since: (
        Agent.objects.filter(pk__in=ids)
        .annotate(is_online=Exists(_alive("pk", since)), was_seen=Exists(_links("pk")))
        .values_list("pk", "is_online", "was_seen")
    )
)


class Presence(TypedDict):
    """What `with_presence` adds to a member."""

    is_online: bool
    was_seen: bool
    ignores_stop: bool


def with_presence(members: QuerySet[Member, Member], since: datetime) -> QuerySet[WithAnnotations[Member, Presence]]:
    """These members, each with the presence of its agent, and whether that has a stop to confirm, in the same query."""
    return members.annotate(
        is_online=Exists(_alive("agent", since)),
        was_seen=Exists(_links("agent")),
        ignores_stop=Exists(unconfirmed_by(OuterRef("agent"))),
    )


_in_hand: Planned[tuple[UUID, str]] = Planned(
    lambda ids: Attempt.objects.filter(member__in=ids, state__in=["offered", "working"]).values_list(
        "member_id", "task__title"
    )
)


def seats(wanted: Q, most: int | None = None, *more: str) -> list[Seat]:
    """Present members with presence and what they are at, those who came first. `more`: what is prefetched of them."""
    return _seats(list(with_presence(_members(wanted).prefetch_related(*more), presence_since())[:most]))


def seats_of(ids: Iterable[UUID]) -> list[Seat]:
    """These members."""
    return _seats(_members_asked(list(ids), presence_since()))


def _members(wanted: Q) -> QuerySet[Member, Member]:
    return (
        Member.objects.filter(wanted, left_at=None)
        .select_related("agent", "user")
        .defer(*(f"agent__{column}" for column in ("announced", "offered", "preferences", "toolkits", "description")))
        .order_by("joined_at", "id")
    )


_members_asked: Planned[WithAnnotations[Member, Presence]] = Planned(
    lambda ids, since: with_presence(_members(Q(pk__in=ids)), since)
)


def _seats(members: Sequence[WithAnnotations[Member, Presence]]) -> list[Seat]:
    people = [m.user_id for m in members if m.user_id]
    here = set(people_here().filter(user__in=people)) if people else set()
    at: dict[UUID, list[str]] = {}
    for member_id, title in _in_hand([m.pk for m in members]):
        at.setdefault(member_id, []).append(title)
    return [
        Seat(
            m,
            presence(m.is_online, m.was_seen) if m.agent_id else "online" if m.user_id in here else "",
            len(at.get(m.pk, ())),
            next(iter(at.get(m.pk, ())), ""),
            m.ignores_stop,
        )
        for m in members
    ]
