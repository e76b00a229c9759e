"""Agents as cells of the fleet view: a small piece for each that says at a glance how it stands and what it is at.

Reads in bulk: what changes often is read for a handful of agents at a time, and for hundreds when the view is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from clawgroups.core.breaker import NO_WORK, Breaker, read
from clawgroups.fragments.roster import Presence, presence, presence_since, with_presence
from clawgroups.models import Approval, Attempt, Member
from clawgroups.planned import Planned

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

# How an agent can stand, what matters most first. The words and shapes are among the states of `web.tags`.
STANDS = ("asks", "lost", "quiet", "working", "offered", "free", "resting", "offline")
# As people say it after a number.
COUNTED = {
    "asks": _("need a person"),
    "lost": _("lost"),
    "quiet": _("quiet"),
    "working": _("working"),
    "offered": _("to begin"),
    "free": _("free"),
    "resting": _("resting"),
    "offline": _("offline"),
}
# Columns of an agent that no cell shows and that can be large.
UNSEEN = ("announced", "offered", "preferences", "toolkits", "description", "budget", "record_since", "device", "cwd")


class Hand(NamedTuple):
    """A task that an agent has in hand. `since` when, how far it says it is, and what is the matter with it."""

    attempt_id: UUID
    task_id: UUID
    title: str
    run_id: UUID
    state: str
    contact: str
    since: datetime
    quiet_since: datetime | None
    asks: bool
    plan: list[Any]
    progress: dict[str, Any]

    @property
    def stands(self) -> str:
        """How it is with this task."""
        if self.asks:
            return "asks"
        if self.contact == "lost":
            return "lost"
        if self.quiet_since is not None:
            return "quiet"
        return "working" if self.state == "working" else "offered"

    @property
    def percent(self) -> int | None:
        """How far it is: as its agent says, or by what is ticked off in the agent's own plan."""
        said = self.progress.get("percent")
        if isinstance(said, int | float):
            return max(0, min(100, round(said)))
        lines = [line for line in self.plan if isinstance(line, dict)]
        ticked = sum(1 for line in lines if line.get("status") == "completed")
        return round(100 * ticked / len(lines)) if lines else None

    @property
    def note(self) -> str:
        """What it says it is doing."""
        doing = (line for line in self.plan if isinstance(line, dict) and line.get("status") == "in_progress")
        return str(self.progress.get("note") or next(doing, {}).get("content", ""))


@dataclass(frozen=True, slots=True)
class Cell:
    """An agent's seat as a cell."""

    member: Member
    presence: str
    hands: tuple[Hand, ...] = ()
    # It was asked to stop other work and has not confirmed it, so that it gets nothing new.
    ignores_stop: bool = False

    @property
    def agent(self) -> Agent:
        assert self.member.agent is not None
        return self.member.agent

    @property
    def breaker(self) -> Breaker:
        """Whether it gets work."""
        return read(self.agent.breaker, self.agent.breaker_until, self.agent.health)

    @property
    def state(self) -> str:
        """How it stands, one of `STANDS`."""
        if self.hands:
            return min((hand.stands for hand in self.hands), key=STANDS.index)
        if self.presence != "online":
            return "offline"
        return "resting" if self.ignores_stop or self.agent.breaker in NO_WORK else "free"

    @property
    def hand(self) -> Hand | None:
        """Of what it has in hand the task that decides how it stands."""
        return min(self.hands, key=lambda hand: STANDS.index(hand.stands), default=None)

    @property
    def more(self) -> int:
        """How many tasks it has in hand besides."""
        return max(len(self.hands) - 1, 0)

    @property
    def step(self) -> int | None:
        """How far it is in steps of five percent: so wide is its bar."""
        percent = self.hand.percent if self.hand is not None else None
        return None if percent is None else 5 * round(percent / 5)


def cells(wanted: Q, *more: str) -> list[Cell]:
    """The cells of the agents that sit at these seats, by name. `more`: what of their rows is prefetched."""
    return _cells(list(with_presence(_members(wanted).prefetch_related(*more), presence_since())))


def cells_of(ids: Iterable[UUID]) -> list[Cell]:
    """The cells of these seats; those of people have none."""
    return _cells(_members_asked(list(ids), presence_since()))


def _members(wanted: Q) -> QuerySet[Member, Member]:
    return (
        Member.objects.filter(wanted, left_at=None, agent__isnull=False)
        .select_related("agent__owner")
        .defer(*(f"agent__{column}" for column in UNSEEN))
        .order_by("name", "id")
    )


_members_asked: Planned[WithAnnotations[Member, Presence]] = Planned(
    lambda ids, since: with_presence(_members(Q(pk__in=ids)), since)
)


def _cells(members: Sequence[WithAnnotations[Member, Presence]]) -> list[Cell]:
    hands = hands_of([member.pk for member in members])
    return [Cell(m, presence(m.is_online, m.was_seen), hands.get(m.pk, ()), m.ignores_stop) for m in members]


def _in_hand(members: Sequence[UUID]) -> QuerySet[Attempt, Any]:
    asked = Approval.objects.filter(attempt=OuterRef("pk"), state="open")
    rows = Attempt.objects.filter(member__in=members, state__in=["offered", "working"]).annotate(asks=Exists(asked))
    columns = ("pk", "task_id", "task__title", "task__run_id", "state", "contact", "begun_at", "quiet_since", "asks")
    return rows.order_by("offered_at", "pk").values_list("member_id", "offered_at", *columns, "plan", "progress")


_hands: Planned[Any] = Planned(_in_hand)


def hands_of(members: Sequence[UUID]) -> dict[UUID, tuple[Hand, ...]]:
    """What these members have in hand, by member, what was begun first in front."""
    found: dict[UUID, tuple[Hand, ...]] = {}
    for member, offered, *said in _hands(members):
        said[6] = said[6] or offered
        found[member] = (*found.get(member, ()), Hand(*said))
    return found
