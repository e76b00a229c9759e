"""Figures over a stream of values in bounded memory; exact where the file fits the bounds, and it says where not."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from agents.builtin.columns import Number

KEY_BUDGET = 1_000_000
"""Distinct values kept with their counts, over all columns of a table."""
SLOT_BUDGET = 12_000_000
"""Eight-byte slots for hashes, and as many for values, over all columns of a table (96 MB each)."""
JsonNumber = int | float


def as_json(value: Number | float | None) -> JsonNumber | None:
    """A number as it is published: whole numbers stay exact, others are rounded once, to the nearest double."""
    if value is None or isinstance(value, int | float):
        return value
    return float(value)


@dataclass
class Tokens:
    """Which values occur and how often: counts up to a bound, then only how many there are."""

    key_limit: int
    slot_limit: int
    counts: Counter[str] | None = field(default_factory=Counter)
    _hashes: array[int] = field(default_factory=lambda: array("q"))
    capped: bool = False

    def add(self, values: list[str]) -> None:
        """Count one batch."""
        if self.counts is not None:
            self.counts.update(values)
            if len(self.counts) > self.key_limit:
                self._hashes.extend(map(hash, self.counts))
                self.counts = None
        elif not self.capped:
            self._hashes.extend(map(hash, values))
            if len(self._hashes) > 2 * self.slot_limit:
                self._fold()

    def _fold(self) -> None:
        unique = set(self._hashes)
        self.capped = len(unique) > self.slot_limit
        self._hashes = array("q", unique)

    def distinct(self, missing: Iterable[str]) -> int:
        """How many different values there are besides `missing`; a lower bound when `capped`."""
        if self.counts is not None:
            return len(self.counts) - sum(token in self.counts for token in missing)
        unique = set(self._hashes)
        return len(unique) - sum(hash(token) in unique for token in missing)


class Numbers:
    """Sum, mean, spread and order statistics of one column of numbers."""

    def __init__(self, slot_limit: int) -> None:
        self.count = 0
        self.total: Number = 0
        self.low: Number | None = None
        self.high: Number | None = None
        self.values = array("d")
        """One value for every `stride`-th row, NaN where the row has none."""
        self.stride = 1
        self._slot_limit = slot_limit
        self._mean = 0.0
        self._squares = 0.0

    def add(self, start: int, numbers: list[Number | None]) -> None:
        """Take one batch whose first row has the number `start`."""
        floats = [math.nan if number is None else float(number) for number in numbers]
        self.values.extend(floats[(1 - start) % self.stride :: self.stride])
        if len(self.values) > self._slot_limit:
            self.values = self.values[::2]
            self.stride *= 2
        present = [number for number in numbers if number is not None]
        if not present:
            return
        self.total += sum(present)
        low, high = min(present), max(present)
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)
        self._spread([value for value in floats if value == value])

    def _spread(self, floats: list[float]) -> None:
        # Two batches are joined by the rule of Chan, Golub and LeVeque: no loss by subtracting large squares.
        size, before = len(floats), self.count
        mean = math.fsum(floats) / size
        squares = math.fsum((value - mean) ** 2 for value in floats)
        gap = mean - self._mean
        self.count = before + size
        self._mean += gap * size / self.count
        self._squares += squares + gap * gap * before * size / self.count

    def mean(self) -> float | None:
        """The exact sum divided by the count, rounded once."""
        return float(Decimal(self.total) / self.count) if self.count else None

    def stdev(self) -> float | None:
        """The sample standard deviation; None below two values."""
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else None

    def ordered(self) -> list[float]:
        """The kept values in order."""
        return sorted(value for value in self.values if value == value)


def quantile(ordered: list[float], share: float) -> float:
    """The value below which `share` of an ordered list lies, between neighbours by straight line."""
    place = (len(ordered) - 1) * share
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True)
class Fence:
    """The limits beyond which a value counts as an outlier: 1.5 times the middle half below or above it."""

    low: float
    high: float

    def outside(self, value: float) -> bool:
        """Whether a value lies beyond the limits; NaN never does."""
        return value < self.low or value > self.high


def fence(ordered: list[float]) -> Fence | None:
    """The fence of a column, or None where fewer than eight values or no spread make one meaningless."""
    if len(ordered) < 8:
        return None
    first, third = quantile(ordered, 0.25), quantile(ordered, 0.75)
    reach = 1.5 * (third - first)
    return Fence(first - reach, third + reach) if reach > 0 else None
