"""Sums and counts of measures for each value of a category and for each period of a date."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from typing import Any

from agents.builtin.columns import Number
from agents.builtin.stats import as_json

GROUP_ROWS = 40
_MOST_DAYS = 366
_SHORT_SPAN_DAYS = 62
_LONG_SPAN_MONTHS = 120


@dataclass
class Cell:
    """Count and sum of one measure in one group."""

    count: int = 0
    total: Number = 0

    def merge(self, other: Cell) -> None:
        """Take in another cell's values."""
        self.count += other.count
        self.total += other.total

    def mean(self) -> float | None:
        """The exact sum divided by the count, rounded once."""
        return float(Decimal(self.total) / self.count) if self.count else None


@dataclass
class Grouped:
    """The cells of one category: for every key the number of rows and one cell per measure."""

    width: int
    rows: dict[str | None, int] = field(default_factory=dict)
    cells: dict[str | None, list[Cell]] = field(default_factory=dict)

    def add(self, labels: list[str | None], measures: list[list[Number | None]]) -> None:
        """Take one batch: the key of each row, and the values of each measure."""
        places: dict[str | None, list[int]] = {}
        for place, label in enumerate(labels):
            places.setdefault(label, []).append(place)
        whole = [None not in values for values in measures]
        for label, where in places.items():
            self.rows[label] = self.rows.get(label, 0) + len(where)
            cells = self.cells.get(label)
            if cells is None:
                cells = self.cells[label] = [Cell() for _ in range(self.width)]
            # A getter of many places is several times faster than a loop, and this is where the time goes.
            pick = itemgetter(*where) if len(where) > 1 else None
            for cell, values, full in zip(cells, measures, whole, strict=True):
                picked: Any = pick(values) if pick else (values[where[0]],)
                if not full:
                    picked = [value for value in picked if value is not None]
                cell.count += len(picked)
                cell.total += sum(picked)

    def rename(self, key_of: dict[str | None, str | None]) -> Grouped:
        """The same with keys joined under new names."""
        joined = Grouped(self.width)
        for label, cells in self.cells.items():
            name = key_of[label]
            joined.rows[name] = joined.rows.get(name, 0) + self.rows[label]
            target = joined.cells.setdefault(name, [Cell() for _ in range(self.width)])
            for into, cell in zip(target, cells, strict=True):
                into.merge(cell)
        return joined

    def published(self, by: str, measure: str, number: int) -> dict[str, Any]:
        """One pair for the profile: the largest sums first, what does not fit added up as `others`."""
        cells = [(label, row[number]) for label, row in self.cells.items() if row[number].count]
        cells.sort(key=lambda item: (-item[1].total, item[0] is None, item[0] or ""))
        rest = Cell()
        for _, cell in cells[GROUP_ROWS:]:
            rest.merge(cell)
        return {
            "by": by,
            "measure": measure,
            "keys": len(cells),
            "rows": [_row(label, cell) for label, cell in cells[:GROUP_ROWS]],
            "others": {"keys": max(len(cells) - GROUP_ROWS, 0), "count": rest.count, "sum": as_json(rest.total)},
        }


def _row(label: str | None, cell: Cell) -> list[Any]:
    return [label, cell.count, as_json(cell.total), cell.mean()]


@dataclass
class Series:
    """Measures over time: by day while the days are few, then by month."""

    width: int
    unit: str = "day"
    first: str = ""
    last: str = ""
    _grouped: Grouped | None = None

    def add(self, dates: list[str | None], measures: list[list[Number | None]]) -> None:
        """Take one batch: the ISO date of each row, and the values of each measure."""
        known = [date for date in dates if date]
        if not known:
            return
        self.first = min(filter(None, (self.first, min(known))))
        self.last = max(self.last, *known)
        self._grouped = self._grouped or Grouped(self.width)
        size = 10 if self.unit == "day" else 7
        self._grouped.add([date[:size] if date else None for date in dates], measures)
        if self.unit == "day" and (len(self._grouped.cells) > _MOST_DAYS or any(len(date) < 10 for date in known)):
            self._widen("month", 7)

    def _widen(self, unit: str, size: int) -> None:
        if self._grouped is not None:
            self.unit = unit
            self._grouped = self._grouped.rename({key: key[:size] if key else None for key in self._grouped.cells})

    def published(self, date: str, measures: list[str]) -> list[dict[str, Any]]:
        """One entry per measure for the profile, in order of time; by day, month or year as the span asks."""
        if self._grouped is None:
            return []
        if self.unit == "day" and len(self._grouped.cells) > _SHORT_SPAN_DAYS:
            self._widen("month", 7)
        if self.unit == "month" and len(self._grouped.cells) > _LONG_SPAN_MONTHS:
            self._widen("year", 4)
        keys = sorted(key for key in self._grouped.cells if key)
        return [
            {
                "date": date,
                "measure": measure,
                "unit": self.unit,
                "first": self.first,
                "last": self.last,
                "rows": [_row(key, self._grouped.cells[key][number]) for key in keys],
            }
            for number, measure in enumerate(measures)
        ]
