"""What an agent has done lately: counts of ended attempts, folded into a record. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from clawgroups.core.failures import Failure

DAYS = 30
# Ends that say nothing about the agent: somebody else wanted it so.
_NEUTRAL = frozenset({"cancelled", "superseded"})


@dataclass(frozen=True, slots=True)
class Ended:
    """So many attempts at tasks of these skills ended in this state, by this kind of failure (or none)."""

    skills: Sequence[str]
    state: str
    failure: str
    number: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How attempts ended: accepted, returned by the review, or failed."""

    accepted: int = 0
    returned: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.accepted + self.returned + self.failed

    @property
    def success(self) -> int:
        """The accepted ones in percent of all; 0 where there are none."""
        return round(100 * self.accepted / self.total) if self.total else 0

    @property
    def bars(self) -> list[tuple[str, str, str]]:
        """Segments of a bar as (tone, start, length) in percent, written as markup takes them."""
        parts = (("done", self.accepted), ("ask", self.returned), ("bad", self.failed))
        at = 0.0
        found = []
        for tone, number in parts:
            if number:
                length = 100 * number / self.total
                found.append((tone, f"{at:.2f}", f"{length:.2f}"))
                at += length
        return found

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.accepted + other.accepted, self.returned + other.returned, self.failed + other.failed)


@dataclass(frozen=True, slots=True)
class Record:
    """What became of an agent's attempts, in all, per needed skill, and the failures by kind, most frequent first."""

    total: Tally = Tally()
    skills: Mapping[str, Tally] = field(default_factory=dict)
    failures: tuple[tuple[str, int], ...] = ()


def tally_of(ended: Ended) -> Tally:
    """One group of ended attempts; those that nobody is to blame for are in none of its numbers."""
    if ended.state == "accepted":
        return Tally(accepted=ended.number)
    if ended.state == "returned":
        return Tally(returned=ended.number)
    if ended.state in _NEUTRAL and ended.failure in ("", Failure.RELEASED):
        return Tally()
    return Tally(failed=ended.number)


def record_of(groups: Iterable[Ended]) -> Record:
    """Fold groups of ended attempts; an attempt at a task of several skills counts for each of them."""
    total, failures = Tally(), Counter[str]()
    skills: dict[str, Tally] = {}
    for group in groups:
        tally = tally_of(group)
        if not tally.total:
            continue
        total += tally
        for name in _names(group.skills):
            skills[name] = skills.get(name, Tally()) + tally
        if not tally.accepted:
            failures[group.failure or _unnamed(group)] += group.number
    ordered = sorted(failures.items(), key=lambda one: (-one[1], one[0]))
    return Record(total, skills, tuple(ordered))


def since_reset(group: Ended, at: datetime, resets: Mapping[str, Any]) -> Ended | None:
    """An attempt that ended at `at`, with the skills whose record was not reset since; None where none is left."""
    kept = [name for name in _names(group.skills) if not _is_reset(resets.get(name), at)]
    return replace(group, skills=kept) if kept or not group.skills else None


def _is_reset(told: Any, at: datetime) -> bool:
    try:
        return at < datetime.fromisoformat(str(told))
    except ValueError:
        return False


def _unnamed(group: Ended) -> str:
    return Failure.NOT_ACCEPTED if group.state == "returned" else Failure.ERROR


def _names(skills: Any) -> list[str]:
    return [name for name in dict.fromkeys(skills) if isinstance(name, str)] if isinstance(skills, list | tuple) else []


def typical(spans: Iterable[timedelta]) -> float | None:
    """The median in seconds; None of nothing."""
    seconds = [span.total_seconds() for span in spans if span >= timedelta(0)]
    return median(seconds) if seconds else None


@dataclass(frozen=True, slots=True)
class ContextUse:
    """How full a session's context is, and what it has cost, as far as its agent says so."""

    used: int
    size: int
    cost: float | None = None
    currency: str = ""

    @property
    def percent(self) -> int:
        return min(100, round(100 * self.used / self.size)) if self.size else 0


def read_context(said: Any) -> ContextUse | None:
    """A context's use from {used, size, cost: {amount, currency}}; None where it is not told."""
    if not isinstance(said, Mapping):
        return None
    used, size = _count(said.get("used")), _count(said.get("size"))
    if used is None or not size:
        return None
    cost = said.get("cost")
    spent: Mapping[str, Any] = cost if isinstance(cost, Mapping) else {}
    amount, currency = spent.get("amount"), spent.get("currency")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < 1e9:
        return ContextUse(used, size)
    return ContextUse(used, size, float(amount), currency[:8] if isinstance(currency, str) else "")


def _count(value: Any) -> int | None:
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return int(value) if right else None
