"""Times as places on a line: an axis with round steps, work side by side, and how much of it there was. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

_SECOND, _MINUTE, _HOUR, _DAY = 1, 60, 3600, 86400
STEPS = (
    *(_SECOND * n for n in (1, 2, 5, 10, 15, 30)),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 28, 56, 112, 364)),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of time from one round moment to another, in equal steps of so many seconds."""

    start: datetime
    end: datetime
    step: int

    @property
    def ticks(self) -> tuple[datetime, ...]:
        """Where each step begins."""
        number = round((self.end - self.start).total_seconds() / self.step)
        return tuple(self.start + timedelta(seconds=self.step * n) for n in range(number))

    def share(self, moment: datetime) -> float:
        """Where a moment stands, in percent; what lies outside stands at the border."""
        return max(0.0, min(100 * ((moment - self.start) / (self.end - self.start)), 100.0))

    def shows(self, start: datetime, end: datetime) -> bool:
        """Whether anything of a stretch of time is on it."""
        return start < self.end and end > self.start


def axis(start: datetime, end: datetime, most: int = 9) -> Axis:
    """The axis around a stretch of time with the finest round step that gives about so many steps at most."""
    length = max((end - start).total_seconds(), 1.0)
    step = next((one for one in STEPS if length / one <= most), STEPS[-1])
    first = int(start.timestamp()) // step * step
    last = max(math.ceil(end.timestamp()), first + 1)
    number = -(-(last - first) // step)
    begin = datetime.fromtimestamp(first, UTC)
    return Axis(begin, begin + timedelta(seconds=step * number), step)


def lanes(spans: Sequence[tuple[datetime, datetime]]) -> list[int]:
    """For each stretch of time the first lane from 0 that is free while it lasts. They come ordered by their start."""
    free: list[datetime] = []
    found = []
    for start, end in spans:
        lane = next((number for number, until in enumerate(free) if until <= start), len(free))
        free[lane : lane + 1] = [end]
        found.append(lane)
    return found


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many worked at once: the most in each of equal parts of a stretch of time, over all of it, and on average."""

    parts: tuple[int, ...] = ()
    most: int = 0
    average: float = 0.0


def crowd(spans: Iterable[tuple[datetime, datetime]], start: datetime, end: datetime, parts: int = 240) -> Crowd:
    """How many of these stretches of time ran at once between `start` and `end`."""
    length = (end - start).total_seconds()
    if length <= 0:
        return Crowd()
    changes: list[tuple[float, int]] = []
    for begun, ended in spans:
        low, high = max((begun - start).total_seconds(), 0.0), min((ended - start).total_seconds(), length)
        if low < high:
            changes += [(low, 1), (high, -1)]
    # What ends at a moment makes room for what begins at it.
    changes.sort()
    most, now, worked = [0] * parts, 0, 0.0
    for (at, change), (until, _) in pairwise([*changes, (length, 0)]):
        now += change
        worked += now * (until - at)
        if until > at:
            first, last = int(at * parts / length), min(math.ceil(until * parts / length), parts)
            for part in range(first, max(last, first + 1)):
                most[min(part, parts - 1)] = max(most[min(part, parts - 1)], now)
    return Crowd(tuple(most), max(most), worked / length)


def earliest(minutes: Mapping[str, float], edges: Iterable[tuple[str, str]]) -> dict[str, float]:
    """When each task could begin at the earliest, in minutes, however many help. Edges: parent, child; acyclic."""
    children: dict[str, list[str]] = {}
    waiting = dict.fromkeys(minutes, 0)
    for parent, child in edges:
        children.setdefault(parent, []).append(child)
        waiting[child] += 1
    starts = dict.fromkeys(minutes, 0.0)
    order = [key for key, number in waiting.items() if not number]
    for key in order:
        for child in children.get(key, ()):
            starts[child] = max(starts[child], starts[key] + minutes[key])
            waiting[child] -= 1
            if not waiting[child]:
                order.append(child)
    return starts
