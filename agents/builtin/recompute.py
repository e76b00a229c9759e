"""Answers source marks from the raw table: one reading to learn the columns, one to count. No profile is used."""

from __future__ import annotations

import math
import statistics
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from itertools import compress

from agents.builtin.columns import Column, ColumnScan, Number, decide
from agents.builtin.delimited import Batch, Tally
from agents.builtin.facts import EMPTY, TOP_SHARE, Answer, percent
from agents.builtin.marks import ROWS, Mark
from agents.builtin.stats import fence
from agents.builtin.tables import Check, Table

_DIGITS = 200
Result = Callable[[], Decimal | None]


class View:
    """One batch, with every column turned into values at most once."""

    def __init__(self, columns: dict[str, Column], places: dict[str, int], batch: Batch) -> None:
        self._columns = columns
        self._places = places
        self._batch = batch
        self._numbers: dict[str, list[Number | None]] = {}
        self._labels: dict[str, list[str]] = {}
        self._met: dict[tuple[str, str], list[bool]] = {}

    def numbers(self, name: str) -> list[Number | None]:
        """The numbers of a column."""
        if name not in self._numbers:
            self._numbers[name] = self._columns[name].numbers(self._cells(name))
        return self._numbers[name]

    def labels(self, name: str) -> list[str]:
        """The keys of a column: dates as ISO text, what is missing as `EMPTY`."""
        if name not in self._labels:
            column = self._columns[name]
            known = {cell: _label(column, cell) for cell in set(self._cells(name))}
            self._labels[name] = [known[cell] for cell in self._cells(name)]
        return self._labels[name]

    def where(self, key: str, value: str) -> list[bool]:
        """Which rows meet a condition; dates meet the month or year they begin with."""
        if not key:
            return [True] * self._batch.size
        if (key, value) not in self._met:
            begins = self._columns[key].reading == "date"
            met = {label: label.startswith(value) if begins else label == value for label in set(self.labels(key))}
            self._met[key, value] = [met[label] for label in self.labels(key)]
        return self._met[key, value]

    def _cells(self, name: str) -> list[str]:
        return self._batch.columns[self._places[name]]


def _label(column: Column, cell: str) -> str:
    if column.reading == "number":
        return EMPTY if column.is_missing(cell) else cell
    return (column.date(cell) if column.reading == "date" else column.label(cell)) or EMPTY


@dataclass
class RowCount:
    """How many rows meet a condition."""

    key: str
    value: str
    count: int = 0

    def take(self, view: View) -> None:
        """Count one batch."""
        self.count += sum(view.where(self.key, self.value))


@dataclass
class Values:
    """The numbers of a column in the rows that meet a condition."""

    column: str
    key: str
    value: str
    total: Number = 0
    low: Number | None = None
    high: Number | None = None
    floats: array[float] = field(default_factory=lambda: array("d"))

    def take(self, view: View) -> None:
        """Take one batch."""
        numbers = view.numbers(self.column)
        if self.key:
            numbers = list(compress(numbers, view.where(self.key, self.value)))
        present = [number for number in numbers if number is not None]
        if present:
            self.total += sum(present)
            self.low = min(present) if self.low is None else min(self.low, *present)
            self.high = max(present) if self.high is None else max(self.high, *present)
            self.floats.extend(map(float, present))

    def mean(self) -> Decimal | None:
        """The sum divided by the count."""
        return Decimal(self.total) / len(self.floats) if self.floats else None

    def stdev(self) -> Decimal | None:
        """The sample standard deviation."""
        if len(self.floats) < 2:
            return None
        mean = math.fsum(self.floats) / len(self.floats)
        return Decimal(math.sqrt(math.fsum((x - mean) ** 2 for x in self.floats) / (len(self.floats) - 1)))

    def outliers(self) -> Decimal | None:
        """How many lie beyond the fence of their own quartiles."""
        limits = fence(sorted(self.floats))
        return Decimal(sum(map(limits.outside, self.floats))) if limits else Decimal(0)


@dataclass
class Labels:
    """Which values a column holds."""

    column: str
    filled: int = 0
    seen: set[str | Number] = field(default_factory=set)
    numeric: bool = False

    def take(self, view: View) -> None:
        """Take one batch."""
        if self.numeric:
            numbers = [number for number in view.numbers(self.column) if number is not None]
            self.filled += len(numbers)
            self.seen.update(numbers)
            return
        labels = [label for label in view.labels(self.column) if label != EMPTY]
        self.filled += len(labels)
        self.seen.update(labels)


@dataclass
class GroupSums:
    """The sum of a column for each value of another."""

    column: str
    by: str
    sums: dict[str, Number] = field(default_factory=dict)

    def take(self, view: View) -> None:
        """Take one batch."""
        for label, number in zip(view.labels(self.by), view.numbers(self.column), strict=True):
            if number is not None:
                self.sums[label] = self.sums.get(label, 0) + number


Collector = RowCount | Values | Labels | GroupSums


class Recount:
    """Reads one table for the marks that name it; the constructor is the first reading, `answer` the second."""

    def __init__(self, table: Table, check: Check) -> None:
        self._table = table
        self._check = check
        self._tally = Tally()
        self._rows = 0
        self._hashes: set[int] = set()
        scans = [ColumnScan() for _ in table.columns]
        for batch in table.batches(check, self._tally):
            self._rows += batch.size
            self._hashes.update(map(hash, zip(*batch.columns, strict=True)))
            for scan, cells in zip(scans, batch.columns, strict=True):
                scan.add(cells)
        self._columns = {column.name: column for column in decide(table.columns, scans)}
        self._places = {name: place for place, name in enumerate(table.columns)}
        self._collectors: dict[tuple[str, ...], Collector] = {}

    def answer(self, marks: list[Mark]) -> dict[Mark, Answer]:
        """The value of each mark."""
        results: dict[Mark, Result | None] = {}
        refused: dict[Mark, str] = {}
        for mark in dict.fromkeys(marks):
            if reason := self._refusal(mark):
                refused[mark] = reason
            else:
                results[mark] = self._ask_rows(mark) if mark.column == ROWS else self._ask_column(mark)
        with localcontext(prec=_DIGITS):
            for batch in self._table.batches(self._check) if self._collectors else ():
                view = View(self._columns, self._places, batch)
                for collector in self._collectors.values():
                    collector.take(view)
            answers = {mark: _answer(mark, result) for mark, result in results.items()}
        return answers | {mark: Answer(None, reason) for mark, reason in refused.items()}

    def _refusal(self, mark: Mark) -> str:
        for name in (mark.column, mark.key):
            if name and name != ROWS and name not in self._columns:
                return f"{self._table.name} has no column {name!r}"
        return ""

    def _values(self, column: str, key: str = "", value: str = "") -> Values:
        found = self._collectors.setdefault(("values", column, key, value), Values(column, key, value))
        assert isinstance(found, Values)
        return found

    def _row_count(self, key: str, value: str) -> RowCount:
        found = self._collectors.setdefault(("rows", key, value), RowCount(key, value))
        assert isinstance(found, RowCount)
        return found

    def _ask_rows(self, mark: Mark) -> Result | None:
        ragged = self._tally.short + self._tally.long
        if mark.key and mark.aggregate in ("count", "share of rows"):
            counted = self._row_count(mark.key, mark.value)
            if mark.aggregate == "count":
                return lambda: Decimal(counted.count)
            return lambda: percent(counted.count, self._rows)
        whole = {"count": self._rows, "duplicates": self._rows - len(self._hashes), "ragged": ragged}
        value = None if mark.key else whole.get(mark.aggregate)
        return None if value is None else lambda: Decimal(value)

    def _ask_column(self, mark: Mark) -> Result | None:
        column = self._columns[mark.column]
        if not mark.key and mark.aggregate in ("count", "missing", "missing share", "distinct"):
            return self._ask_filled(mark, column)
        if column.reading != "number":
            return None
        if top := TOP_SHARE.fullmatch(mark.aggregate):
            return self._ask_top(mark, int(top[1]))
        part, whole = self._values(mark.column, mark.key, mark.value), self._values(mark.column)
        if mark.until and mark.aggregate in ("change of sum", "change of mean"):
            return self._ask_change(mark, part)
        simple: dict[str, Result] = {
            "count": lambda: Decimal(len(part.floats)),
            "sum": lambda: Decimal(part.total) if part.floats else None,
            "mean": part.mean,
            "median": lambda: Decimal(statistics.median(part.floats)) if part.floats else None,
            "min": lambda: None if part.low is None else Decimal(part.low),
            "max": lambda: None if part.high is None else Decimal(part.high),
            "stdev": part.stdev,
            "outliers": part.outliers,
            "share of sum": lambda: percent(part.total, whole.total),
        }
        return simple.get(mark.aggregate)

    def _ask_filled(self, mark: Mark, column: Column) -> Result:
        fresh = Labels(mark.column, numeric=column.reading == "number")
        labels = self._collectors.setdefault(("labels", mark.column), fresh)
        assert isinstance(labels, Labels)
        results: dict[str, Result] = {
            "count": lambda: Decimal(labels.filled),
            "missing": lambda: Decimal(self._rows - labels.filled),
            "missing share": lambda: percent(self._rows - labels.filled, self._rows),
            "distinct": lambda: Decimal(len(labels.seen)),
        }
        return results[mark.aggregate]

    def _ask_top(self, mark: Mark, number: int) -> Result | None:
        if not mark.key:
            return None
        groups = self._collectors.setdefault(("groups", mark.column, mark.key), GroupSums(mark.column, mark.key))
        assert isinstance(groups, GroupSums)

        def share() -> Decimal | None:
            sums = sorted(groups.sums.values(), reverse=True)
            return percent(sum(sums[:number]), sum(sums))

        return share

    def _ask_change(self, mark: Mark, before: Values) -> Result:
        after = self._values(mark.column, mark.key, mark.until)

        def change() -> Decimal | None:
            if mark.aggregate == "change of sum":
                old, new = Decimal(before.total), Decimal(after.total)
                return percent(new - old, abs(old)) if before.floats and after.floats else None
            first, last = before.mean(), after.mean()
            return percent(last - first, abs(first)) if first is not None and last is not None else None

        return change


def _answer(mark: Mark, result: Result | None) -> Answer:
    if result is None:
        return Answer(None, f"{mark.aggregate!r} is no figure that can be worked out for {mark.column!r}")
    value = result()
    return Answer(value) if value is not None else Answer(None, f"there is no data behind {mark.aggregate!r} here")
