"""Answers source marks from a profile, for where the table itself is not at hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agents.builtin.marks import ROWS, Mark

Profile = dict[str, Any]
EMPTY = "(empty)"
"""How rows without a value in a category are called."""
TOP_SHARE = re.compile(r"top (\d+) share of sum")
_DIRECT = frozenset({"count", "sum", "mean", "median", "min", "max", "stdev", "missing", "distinct"})


@dataclass(frozen=True)
class Answer:
    """The value of a mark, or why there is none."""

    value: Decimal | None
    reason: str = ""


def column_of(profile: Profile, name: str) -> dict[str, Any] | None:
    """The entry of a column, or None."""
    return next((column for column in profile["columns"] if column["name"] == name), None)


def percent(part: Any, whole: Any) -> Decimal | None:
    """The share of a part in per cent; None of nothing."""
    return 100 * Decimal(part) / Decimal(whole) if whole else None


def from_profile(profile: Profile, mark: Mark) -> Answer:
    """The value that a profile gives for a mark."""
    value = _of_rows(profile, mark) if mark.column == ROWS else _of_column(profile, mark)
    if value is None:
        return Answer(None, f"the profile of {mark.table} does not hold this figure")
    return Answer(value if isinstance(value, Decimal) else Decimal(str(value)))


def _of_rows(profile: Profile, mark: Mark) -> Any:
    if mark.key:
        return _of_value(profile, mark)
    ragged = profile["ragged"]
    known = {
        "count": profile["rows"],
        "duplicates": profile["duplicates"],
        "ragged": ragged["short"] + ragged["long"],
    }
    return known.get(mark.aggregate)


def _of_value(profile: Profile, mark: Mark) -> Any:
    column = column_of(profile, mark.key)
    times = next((times for value, times in column["top"] if str(value) == mark.value), None) if column else None
    return percent(times, profile["rows"]) if times and mark.aggregate == "share of rows" else times


def _of_column(profile: Profile, mark: Mark) -> Any:
    column = column_of(profile, mark.column)
    if column is None:
        return None
    if mark.key:
        return _of_group(profile, mark, column)
    if mark.aggregate in _DIRECT:
        return column[mark.aggregate]
    if mark.aggregate == "missing share":
        return percent(column["missing"], profile["rows"])
    if mark.aggregate == "outliers":
        return next((entry["count"] for entry in profile["outliers"] if entry["column"] == mark.column), 0)
    return None


def _of_group(profile: Profile, mark: Mark, column: dict[str, Any]) -> Any:
    rows = group_rows(profile, mark.key, mark.column)
    if top := TOP_SHARE.fullmatch(mark.aggregate):
        sums = sorted((row[2] for row in rows.values()), reverse=True)
        return percent(sum(map(_exact, sums[: int(top[1])])), _exact(column["sum"]))
    row, until = rows.get(mark.value), rows.get(mark.until)
    if row is None:
        return None
    place = {"count": 1, "sum": 2, "mean": 3}.get(mark.aggregate)
    if place is not None:
        return row[place]
    if mark.aggregate == "share of sum":
        return percent(_exact(row[2]), _exact(column["sum"]))
    if until is not None and mark.aggregate in ("change of sum", "change of mean"):
        place = 2 if mark.aggregate == "change of sum" else 3
        return percent(_exact(until[place]) - _exact(row[place]), abs(_exact(row[place])))
    return None


def _exact(value: Any) -> Decimal:
    return Decimal(str(value))


def group_rows(profile: Profile, by: str, measure: str) -> dict[str, list[Any]]:
    """The rows of a group or a time series by key."""
    for entry in profile["groups"]:
        if entry["by"] == by and entry["measure"] == measure:
            return {EMPTY if row[0] is None else row[0]: row for row in entry["rows"]}
    for entry in profile["series"]:
        if entry["date"] == by and entry["measure"] == measure:
            return {row[0]: row for row in entry["rows"]}
    return {}
