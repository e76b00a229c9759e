"""The profile of a table: what every column holds, group sums, change over time, gaps. Same file, same bytes."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import localcontext
from typing import Any

from agents.builtin.cells import HARD_MISSING, SOFT_MISSING
from agents.builtin.columns import Column, ColumnScan, Number, decide
from agents.builtin.delimited import Tally
from agents.builtin.groups import Grouped, Series
from agents.builtin.roles import Role, role_of
from agents.builtin.stats import KEY_BUDGET, SLOT_BUDGET, Numbers, Tokens, as_json, fence, quantile
from agents.builtin.tables import Check, Table

MOST_CATEGORIES = 6
MOST_MEASURES = 6
_TOP = 10
_EXAMPLES = 5
_DIGITS = 200
"""Decimal digits kept while adding: sums of money are exact, whatever the number of rows."""


@dataclass
class _First:
    """What the first reading of a table yields."""

    scans: list[ColumnScan]
    tokens: list[Tokens]
    rows: int = 0
    hashes: Tokens = field(default_factory=lambda: Tokens(0, SLOT_BUDGET // 2))
    tally: Tally = field(default_factory=Tally)


@dataclass
class _Second:
    """What the second reading yields, now that the meaning of each column is known."""

    numbers: dict[int, Numbers]
    grouped: dict[int, Grouped]
    series: Series | None
    dates: dict[int, tuple[str, str]] = field(default_factory=dict)
    dated: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True)
class Layout:
    """Which columns are added up, grouped by, and followed over time."""

    columns: list[Column]
    roles: list[Role]
    measures: list[int]
    categories: list[int]
    date: int | None


def profile_table(table: Table, check: Check = lambda: None) -> tuple[dict[str, Any], list[Column]]:
    """Read a table twice; its profile, and its columns as they are read. Raises `Stopped` through `check`."""
    first = _read_first(table, check)
    columns = decide(table.columns, first.scans)
    layout = _layout(columns, first)
    with localcontext(prec=_DIGITS):
        second = _read_second(table, layout, check)
        return _publish(table, layout, first, second), columns


def to_bytes(profile: dict[str, Any]) -> bytes:
    """The profile as it is written to a file."""
    return (json.dumps(profile, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def _read_first(table: Table, check: Check) -> _First:
    width = len(table.columns)
    keys, slots = KEY_BUDGET // width, SLOT_BUDGET // width
    first = _First([ColumnScan() for _ in range(width)], [Tokens(keys, slots) for _ in range(width)])
    for batch in table.batches(check, first.tally):
        first.rows += batch.size
        for scan, tokens, cells in zip(first.scans, first.tokens, batch.columns, strict=True):
            scan.add(cells)
            tokens.add(cells)
        first.hashes.add([hash(row) for row in zip(*batch.columns, strict=True)])  # type: ignore[misc]
    return first


def _layout(columns: list[Column], first: _First) -> Layout:
    roles: list[Role] = []
    for column, scan, tokens in zip(columns, first.scans, first.tokens, strict=True):
        low, high = _ends(column, tokens)
        distinct = tokens.distinct(_missing_tokens(column))
        roles.append(role_of(column, filled=_filled(column, scan), distinct=distinct, low=low, high=high))
    measures = [place for place, role in enumerate(roles) if role in ("measure", "rate")]
    measures.sort(key=lambda place: roles[place] != "measure")
    categories = [place for place, role in enumerate(roles) if role == "category"]
    few = {place: first.tokens[place].distinct(()) <= 50 for place in categories}
    categories.sort(key=lambda place: not few[place])
    dates = [place for place, role in enumerate(roles) if role == "date"]
    measures, categories = sorted(measures[:MOST_MEASURES]), sorted(categories[:MOST_CATEGORIES])
    return Layout(columns, roles, measures, categories, dates[0] if dates else None)


def _ends(column: Column, tokens: Tokens) -> tuple[Number | None, Number | None]:
    if column.type != "integer" or tokens.counts is None:
        return None, None
    numbers = [number for number in column.numbers(tokens.counts) if number is not None]
    return (min(numbers), max(numbers)) if numbers else (None, None)


def _filled(column: Column, scan: ColumnScan) -> int:
    return scan.filled if column.reading == "text" else scan.filled - scan.kinds["soft"]


def _missing_tokens(column: Column) -> frozenset[str]:
    return HARD_MISSING if column.reading == "text" else HARD_MISSING | SOFT_MISSING


def _read_second(table: Table, layout: Layout, check: Check) -> _Second:
    numeric = [place for place, column in enumerate(layout.columns) if column.reading == "number"]
    slots = SLOT_BUDGET // max(len(numeric), 1)
    second = _Second(
        {place: Numbers(slots) for place in numeric},
        {place: Grouped(len(layout.measures)) for place in layout.categories},
        Series(len(layout.measures)) if layout.date is not None else None,
    )
    for batch in table.batches(check):
        values = {place: layout.columns[place].numbers(batch.columns[place]) for place in numeric}
        for place, numbers in values.items():
            second.numbers[place].add(batch.start, numbers)
        measures = [values[place] for place in layout.measures]
        for place, grouped in second.grouped.items():
            grouped.add(_labels(layout.columns[place], batch.columns[place]), measures)
        _read_dates(layout, second, batch.columns, measures)
    return second


def _labels(column: Column, cells: list[str]) -> list[str | None]:
    known = (
        {cell: column.label(cell) for cell in set(cells)}
        if column.reading != "number"
        else {cell: None if column.is_missing(cell) else cell for cell in set(cells)}
    )
    return [known[cell] for cell in cells]


def _read_dates(layout: Layout, second: _Second, columns: list[list[str]], measures: list[list[Number | None]]) -> None:
    for place, column in enumerate(layout.columns):
        if column.reading != "date":
            continue
        known = {cell: column.date(cell) for cell in set(columns[place])}
        found = [date for date in known.values() if date]
        second.dated[place] += sum(known[cell] is not None for cell in columns[place])
        if found:
            low, high = second.dates.get(place, (found[0], found[0]))
            second.dates[place] = min(low, *found), max(high, *found)
        if place == layout.date and second.series is not None:
            second.series.add([known[cell] for cell in columns[place]], measures)


def _publish(table: Table, layout: Layout, first: _First, second: _Second) -> dict[str, Any]:
    columns, outliers = [], []
    for place in range(len(layout.columns)):
        entry = _column(place, layout, first, second)
        if place in second.numbers:
            entry, beyond = _with_numbers(entry, second.numbers[place], layout.roles[place])
            outliers += [beyond] if beyond else []
        columns.append(entry)
    names = [layout.columns[place].name for place in layout.measures]
    return {
        "version": 1,
        "file": table.file,
        "sheet": table.sheet,
        "table": table.name,
        "sha256": table.sha256,
        "encoding": table.text.encoding if table.sheet is None else None,
        "delimiter": table.text.delimiter if table.sheet is None else None,
        "rows": first.rows,
        "columns": columns,
        "groups": [
            grouped.published(layout.columns[place].name, name, number)
            for place, grouped in second.grouped.items()
            for number, name in enumerate(names)
        ],
        "series": second.series.published(layout.columns[layout.date].name, names)
        if second.series is not None and layout.date is not None
        else [],
        "outliers": outliers,
        "duplicates": first.rows - first.hashes.distinct(()),
        "ragged": {"short": first.tally.short, "long": first.tally.long, "first_row": first.tally.first_ragged},
        "blank_lines": first.tally.blank,
        "notes": _notes(table, layout, first, second),
    }


def _column(place: int, layout: Layout, first: _First, second: _Second) -> dict[str, Any]:
    column, scan, tokens = layout.columns[place], first.scans[place], first.tokens[place]
    filled = second.dated[place] if column.reading == "date" else _filled(column, scan)
    counts = None if tokens.counts is None else _value_counts(column, tokens.counts)
    low, high = second.dates.get(place, (None, None))
    return {
        "name": column.name,
        "type": column.type,
        "role": layout.roles[place],
        "unit": column.unit,
        "count": filled,
        "missing": first.rows - filled,
        "distinct": len(counts) if counts is not None else _distinct(column, tokens, second.numbers.get(place)),
        "distinct_capped": tokens.capped,
        "min": low,
        "max": high,
        "sum": None,
        "mean": None,
        "median": None,
        "stdev": None,
        "top": _top(counts or {}),
    }


def _distinct(column: Column, tokens: Tokens, numbers: Numbers | None) -> int:
    """Different values, not different ways to write them, wherever the values are at hand."""
    if numbers is not None and numbers.stride == 1 and column.type != "integer":
        return len(set(numbers.ordered()))
    return tokens.distinct(_missing_tokens(column))


def _value_counts(column: Column, tokens: Mapping[str, int]) -> Counter[Any]:
    if column.plain and column.type == "integer":
        return Counter({int(cell): times for cell, times in tokens.items() if cell})
    counts: Counter[Any] = Counter()
    for cell, times in tokens.items():
        value = _value(column, cell)
        if value is not None:
            counts[value] += times
    return counts


def _value(column: Column, cell: str) -> str | float | None:
    if column.reading == "number":
        return as_json(column.numbers([cell])[0])
    return column.date(cell) if column.reading == "date" else column.label(cell)


def _top(counts: Mapping[Any, int]) -> list[list[Any]]:
    ranked = heapq.nsmallest(_TOP, counts.items(), key=lambda item: (-item[1], item[0]))
    return [[value, times] for value, times in ranked if times > 1 or len(counts) <= _TOP]


def _with_numbers(entry: dict[str, Any], numbers: Numbers, role: Role) -> tuple[dict[str, Any], dict[str, Any] | None]:
    ordered = numbers.ordered()
    if not ordered:
        return entry, None
    entry |= {
        "count": numbers.count,
        "missing": entry["missing"] + entry["count"] - numbers.count,
        "min": as_json(numbers.low),
        "max": as_json(numbers.high),
        "sum": as_json(numbers.total),
        "mean": numbers.mean(),
        "median": quantile(ordered, 0.5),
        "stdev": numbers.stdev(),
    }
    limits = fence(ordered) if role in ("measure", "rate") and numbers.stride == 1 else None
    if limits is None:
        return entry, None
    far = [(row, value) for row, value in enumerate(numbers.values, 1) if limits.outside(value)]
    far.sort(key=lambda item: (-max(limits.low - item[1], item[1] - limits.high), item[0]))
    beyond = {"column": entry["name"], "low": limits.low, "high": limits.high, "count": len(far)}
    return entry, beyond | {"examples": [list(item) for item in far[:_EXAMPLES]]} if far else None


def _notes(table: Table, layout: Layout, first: _First, second: _Second) -> list[str]:
    notes = list(table.notes)
    for column in layout.columns:
        notes += column.notes
    if first.tally.short or first.tally.long:
        parts = [f"{first.tally.short:,} too short"] * bool(first.tally.short)
        parts += [f"{first.tally.long:,} too long"] * bool(first.tally.long)
        where = f"the first is row {first.tally.first_ragged:,}"
        notes.append(f"Rows that do not fit the header were kept: {' and '.join(parts)}; {where}.")
    for place, tokens in enumerate(first.tokens):
        if tokens.capped:
            name = layout.columns[place].name
            notes.append(f"{name!r} has too many different values to count; the figure is a lower bound.")
    for place, numbers in second.numbers.items():
        if numbers.stride > 1:
            name = layout.columns[place].name
            every = f"one of every {numbers.stride} rows"
            notes.append(f"The median of {name!r} is taken from {every}; outliers were not looked for.")
    return notes
