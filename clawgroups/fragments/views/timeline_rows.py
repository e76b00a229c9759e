"""Who tried what when, as bars with phases: what the timeline of a run draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Min, Q

from clawgroups.core.lifecycle import ATTEMPT_LIVE, AttemptState
from clawgroups.core.timeline import Axis, lanes
from clawgroups.models import Approval, Attempt

LIVE = tuple(state.value for state in ATTEMPT_LIVE)
BARS = 2_000  # bars of a page
SLIM = 0.22  # percent: how wide even the shortest bar is
NAMED = 4.0  # percent: how wide a part of a bar is that says its title
TABLE = 100  # bars of the table
LANES = 6  # of a row; what more a member is at lies on the last
ENDS = ("returned", "expired", "refused", "superseded", "cancelled")  # that a mark tells
_ROW = (
    *("pk", "number", "state", "failure", "offered_at", "begun_at", "submitted_at", "ended_at"),
    *("member", "member__agent", "task", "task__title", "task__paused"),
)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a bar: what it was then, and where it lies in percent of the axis."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One attempt on the line."""

    pk: UUID
    task: UUID
    title: str
    number: int
    state: str
    start: datetime
    end: datetime
    is_open: bool
    lane: int
    x: float
    width: float
    phases: tuple[Phase, ...] = ()
    asks: bool = False
    by_person: bool = False

    @property
    def mark(self) -> str:
        """The state that stands at its end; empty where the bar itself says enough."""
        return self.state if self.state in ENDS else ""

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def named(self) -> Phase | None:
        """The longest part of it, if there is room for its title."""
        longest = max((one for one in self.phases if one.kind != "asking"), key=lambda one: one.width, default=None)
        return longest if longest is not None and longest.width >= NAMED else None

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def top(self) -> int:
        """How far down in its row it lies."""
        return 4 + 22 * self.lane


@dataclass(frozen=True, slots=True)
class Row:
    """A member and what they did. `share`: how much of the time since they began they worked, in percent."""

    member: UUID
    name: str
    is_agent: bool
    tries: int
    now: int
    first: datetime
    last: datetime | None
    bars: tuple[Bar, ...] = field(default=())
    share: int | None = None
    # From where to where they have been there, in percent of the axis.
    x: float = 0.0
    width: float = 0.0

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def height(self) -> int:
        return 4 + 22 * max((bar.lane + 1 for bar in self.bars), default=1)


def newest(rows: Iterable[Row]) -> list[tuple[Row, Bar]]:
    """The bars that began last, for a table of them."""
    found = [(row, bar) for row in rows for bar in row.bars]
    return sorted(found, key=lambda one: one[1].start, reverse=True)[:TABLE]


def members_of(run_id: UUID) -> list[Row]:
    """Everybody who tried something in a run: those at work first, who has most in hand before others."""
    found = (
        Attempt.objects.filter(task__run=run_id)
        .order_by()
        .values_list("member", "member__name", "member__agent")
        .annotate(
            tries=Count("pk"), now=Count("pk", filter=Q(state__in=LIVE)), first=Min("offered_at"), last=Max("ended_at")
        )
    )
    rows = [Row(pk, name, bool(agent), *rest) for pk, name, agent, *rest in found]
    return sorted(rows, key=lambda row: (-row.now, row.first, row.name))


def on_axis(run_id: UUID, rows: Sequence[Row], axis: Axis) -> list[Row]:
    """Those of them who had something in hand in this time; all of them where nobody had."""
    there = Attempt.objects.filter(Q(ended_at=None) | Q(ended_at__gt=axis.start), offered_at__lt=axis.end)
    found = set(there.filter(task__run=run_id).order_by().values_list("member", flat=True).distinct())
    return [row for row in rows if row.member in found] or list(rows)


def spans_of(run_id: UUID, now: datetime) -> list[tuple[datetime, datetime]]:
    """When somebody worked at something, over the whole run: the stretches that run side by side."""
    rows = Attempt.objects.filter(task__run=run_id, begun_at__isnull=False).order_by()
    times = rows.values_list("begun_at", "submitted_at", "ended_at")
    return [(begun, sent or ended or now) for begun, sent, ended in times if begun is not None]


def with_bars(run_id: UUID, rows: Sequence[Row], axis: Axis, now: datetime) -> tuple[list[Row], bool]:
    """These rows with what is on the axis, in two queries; and whether there was too much of it for one page."""
    on = Attempt.objects.filter(task__run=run_id, member__in=[row.member for row in rows], offered_at__lt=axis.end)
    on = on.filter(Q(ended_at=None) | Q(ended_at__gt=axis.start) | ~Q(task__paused=""))
    tries = list(on.order_by("-offered_at").values(*_ROW)[: BARS + 1])
    asked: dict[UUID, list[tuple[datetime, datetime]]] = {}
    waits = Approval.objects.filter(task__run=run_id, asked_at__lt=axis.end).order_by("asked_at")
    by_try = {one["pk"]: one for one in tries[:BARS]}
    for pk, state, start, end, expires in waits.values_list("attempt", "state", "asked_at", "decided_at", "expires_at"):
        if pk in by_try:
            until = end or (now if state == "open" else by_try[pk]["ended_at"] or expires)
            asked.setdefault(pk, []).append((start, min(until, now)))
    newest: dict[UUID, int] = {}
    for one in by_try.values():
        newest[one["task"]] = max(newest.get(one["task"], 0), one["number"])
    mine: dict[UUID, list[Mapping[str, Any]]] = {}
    for one in reversed(by_try.values()):
        mine.setdefault(one["member"], []).append(one)
    made = [_with(row, mine.get(row.member, []), asked, newest, axis, now) for row in rows]
    return made, len(tries) > BARS


def _with(
    row: Row,
    tries: Sequence[Mapping[str, Any]],
    asked: Mapping[UUID, list[tuple[datetime, datetime]]],
    newest: Mapping[UUID, int],
    axis: Axis,
    now: datetime,
) -> Row:
    ends = [_end(one, newest, now) for one in tries]
    spans = [(one["offered_at"], end) for one, end in zip(tries, ends, strict=True)]
    # A bar that is drawn wider than it lasts must not lie on the next one.
    least = (axis.end - axis.start) * (SLIM / 100)
    places = lanes([(start, max(end, start + least)) for start, end in spans])
    bars = tuple(
        _bar(one, end, min(lane, LANES - 1), asked.get(one["pk"], ()), axis, now)
        for one, end, lane in zip(tries, ends, places, strict=True)
        if axis.shows(one["offered_at"], max(end, one["offered_at"] + timedelta(microseconds=1)))
    )
    until = now if row.now else row.last or now
    x, right = axis.share(row.first), axis.share(until)
    return Row(
        *(row.member, row.name, row.is_agent, row.tries, row.now, row.first, row.last, bars),
        _share(tries, axis, row, until, now),
        *(round(x, 3), round(right - x, 3)),
    )


def _share(tries: Sequence[Mapping[str, Any]], axis: Axis, row: Row, until: datetime, now: datetime) -> int | None:
    """How much of the time on the axis somebody worked, of that in which they were there."""
    start, end = max(axis.start, row.first), min(axis.end, until)
    length = (end - start).total_seconds()
    if length <= 0:
        return None
    worked, at = 0.0, start
    for one in tries:
        begun, over = one["begun_at"], one["submitted_at"] or one["ended_at"] or now
        if begun is not None:
            low, high = max(begun, at), min(over, end)
            worked += max((high - low).total_seconds(), 0.0)
            at = max(at, high)
    return min(round(100 * worked / length), 100)


def _end(one: Mapping[str, Any], newest: Mapping[UUID, int], now: datetime) -> datetime:
    """Until when a bar goes: of what is paused until now, for it goes on with the same member where it can."""
    if one["task__paused"] and newest.get(one["task"]) == one["number"]:
        return now
    return one["ended_at"] or now


def _bar(
    one: Mapping[str, Any],
    end: datetime,
    lane: int,
    asked: Iterable[tuple[datetime, datetime]],
    axis: Axis,
    now: datetime,
) -> Bar:
    start, by_person = one["offered_at"], one["member__agent"] is None
    over = one["ended_at"] or now
    sent = one["submitted_at"]
    begun = one["begun_at"] or sent or over
    parts = [
        ("held" if by_person else "offered", start, min(begun, over)),
        ("held" if by_person else "working", begun, sent or over),
        *(("review", sent, over) for _ in range(1) if sent is not None),
        *(("paused", over, end) for _ in range(1) if end > over),
        *(("asking", *span) for span in asked),
    ]
    x = axis.share(start)
    width = max(axis.share(end) - x, SLIM)
    phases = tuple(_phase(kind, a, b, axis) for kind, a, b in parts if a < b and axis.shows(a, b))
    if not phases:
        phases = (Phase("held" if by_person else "working", round(x, 3), round(width, 3)),)
    shown = "paused" if end > over else one["state"]
    asks = any(until >= now for _, until in asked) and one["state"] == AttemptState.WORKING
    return Bar(
        *(one["pk"], one["task"], one["task__title"], one["number"], shown, start, end, one["ended_at"] is None),
        *(lane, round(x, 3), round(width, 3), phases, asks, by_person),
    )


def _phase(kind: str, start: datetime, end: datetime, axis: Axis) -> Phase:
    x = axis.share(start)
    return Phase(kind, round(x, 3), round(max(axis.share(end) - x, SLIM), 3))
