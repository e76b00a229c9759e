"""What an agent has done and announced, for its page. Reads in bulk.

An agent works in workspaces that the one who looks may have no seat in: of those only counts and kinds are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db.models import Count, F, QuerySet
from django.utils import timezone

from agents.models import Agent, Announcement, BreakerMove, Skill
from clawgroups.core.announced import Difference, differences
from clawgroups.core.failures import Failure, in_words
from clawgroups.core.match_parts import RECORD, edge
from clawgroups.core.record import (
    DAYS,
    ContextUse,
    Ended,
    Record,
    Tally,
    read_context,
    record_of,
    since_reset,
    typical,
)
from clawgroups.models import Attempt, Member, Session

OPEN_SESSIONS = 50
PAST_SESSIONS = 8
LAST_FAILURES = 6
NOTHING = Tally()
SPAN = ("begun_at", "submitted_at")
TIMED = 500  # the newest accepted attempts that the typical time is taken from


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session as its agent's owner sees it. `seen`: the viewer has a seat where it works.

    `context` is None while the agent does not tell how full it is.
    """

    session: Session
    seen: bool
    context: ContextUse | None = None

    @property
    def is_open(self) -> bool:
        return self.session.state != "closed"

    @property
    def state(self) -> str:
        """The state of what it serves while it is open; of a closed one, how that ended."""
        return "opening" if self.session.state == "opening" else self.session.attempt.state

    @property
    def lost(self) -> bool:
        """Whether the one at work there cannot be reached at the moment."""
        return self.is_open and self.session.attempt.contact == "lost"


@dataclass(frozen=True, slots=True)
class FailureLine:
    """An attempt that failed."""

    attempt: Attempt
    seen: bool

    @property
    def words(self) -> str:
        """The kind of failure in plain words."""
        return in_words(self.attempt.failure)


@dataclass(frozen=True, slots=True)
class SkillLine:
    """A skill of the profile, or (`skill` is None) one that its tasks needed besides, with what became of them."""

    name: str
    skill: Skill | None
    tally: Tally
    # Since when the matching counts it, where it was reset; and what of it that leaves.
    since: datetime | None = None
    counted: Tally = NOTHING

    @property
    def points(self) -> float:
        """What this record is worth in the matching, were it all of one workspace."""
        return RECORD * edge(self.counted) if self.counted.total else 0.0


@dataclass(frozen=True, slots=True)
class Changed:
    """What an agent announced differently from one moment on."""

    at: datetime
    differences: tuple[Difference, ...]


class Work:
    """What became of an agent's attempts in the last days, as `viewer` may know it."""

    def __init__(self, agent: Agent, seats: QuerySet[Member, Member], now: datetime | None = None) -> None:
        self.days = DAYS
        self.agent = agent
        self.since = (now or timezone.now()) - timedelta(days=DAYS)
        self._rooms = seats.values_list("workspace_id", flat=True)

    @cached_property
    def rooms(self) -> frozenset[UUID]:
        """The workspaces that the viewer sees."""
        return frozenset(self._rooms)

    @cached_property
    def record(self) -> Record:
        """Counts, by one grouped query."""
        ended = self._ended.values_list("task__skills", "state", "failure").annotate(number=Count("pk"))
        return record_of(Ended(*row) for row in ended.order_by())

    @cached_property
    def skills(self) -> list[SkillLine]:
        """The profile's skills, then others that its tasks needed."""
        done = dict(self.record.skills)
        lines: list[tuple[str, Skill | None, Tally]] = [
            (skill.name, skill, done.pop(skill.name, Tally())) for skill in self.agent.skills.all()
        ]
        lines += [(name, None, tally) for name, tally in sorted(done.items())]
        return [SkillLine(*line, self._reset_at(line[0]), self._counted(line[0], line[2])) for line in lines]

    def _reset_at(self, skill: str) -> datetime | None:
        told = self.agent.record_since.get(skill)
        return None if told is None else datetime.fromisoformat(str(told))

    def _counted(self, skill: str, tally: Tally) -> Tally:
        return self._since_reset.get(skill, Tally()) if skill in self.agent.record_since else tally

    @cached_property
    def _since_reset(self) -> dict[str, Tally]:
        """By skill, what was done since its record was reset."""
        resets = self.agent.record_since
        rows = self._ended.values_list("task__skills", "state", "failure", "ended_at")
        kept = (since_reset(Ended(*row[:3], 1), row[3], resets) for row in rows if row[3] is not None)
        return dict(record_of(one for one in kept if one is not None).skills)

    @cached_property
    def typical(self) -> float | None:
        """Seconds from begin to submission of an accepted attempt, at the median."""
        accepted = self._ended.filter(state="accepted", begun_at__isnull=False, submitted_at__isnull=False)
        return typical(end - begin for begin, end in accepted.order_by("-ended_at").values_list(*SPAN)[:TIMED])

    @cached_property
    def failures(self) -> list[tuple[str, int, int]]:
        """Failures by kind in plain words, most frequent first; each in percent of the first."""
        counted = self.record.failures
        return [(in_words(kind), number, round(100 * number / counted[0][1])) for kind, number in counted]

    @cached_property
    def last_failures(self) -> list[FailureLine]:
        """The newest ones."""
        failed = self._ended.exclude(failure__in=["", Failure.RELEASED]).select_related("task", "workspace")
        newest = failed.order_by("-ended_at")[:LAST_FAILURES]
        return [FailureLine(one, one.workspace_id in self.rooms) for one in newest]

    @cached_property
    def sessions(self) -> list[SessionLine]:
        """The open sessions and the last closed ones, newest first."""
        rows = Session.objects.filter(agent=self.agent).select_related("task", "workspace", "attempt")
        still = rows.exclude(state="closed").order_by("-opened_at")[:OPEN_SESSIONS]
        past = rows.filter(state="closed").order_by(F("closed_at").desc(nulls_last=True))[:PAST_SESSIONS]
        seen = self.rooms
        return [
            SessionLine(one, one.workspace_id in seen, read_context(one.told.get("usage"))) for one in (*still, *past)
        ]

    @cached_property
    def at_work(self) -> int:
        """How many sessions are open."""
        return sum(line.is_open for line in self.sessions)

    @property
    def _ended(self) -> QuerySet[Attempt, Attempt]:
        return Attempt.objects.filter(member__agent=self.agent, ended_at__gte=self.since)


def changes_of(agent: Agent) -> list[Changed]:
    """What it announced differently and when, newest first."""
    snapshots = list(Announcement.objects.filter(agent=agent).order_by("-at"))
    pairs = zip(snapshots[1:], snapshots, strict=False)
    found = [Changed(new.at, differences(old.said, new.said)) for old, new in pairs]
    return [one for one in found if one.differences]


def moves_of(agent: Agent, limit: int = 8) -> Sequence[BreakerMove]:
    """How its breaker moved lately, newest first."""
    return list(BreakerMove.objects.filter(agent=agent).order_by("-at")[:limit])
