"""Which periods of a time series are whole, so that a half month is not taken for a fall."""

from __future__ import annotations

import calendar
from typing import Any

_GRACE_DAYS = 4
"""A month counts as whole when the data begins or ends this close to its edge: weekends and holidays have no rows."""


def whole_periods(series: dict[str, Any]) -> list[list[Any]]:
    """The rows of a series without a first or last period that the data covers only in part."""
    rows: list[list[Any]] = list(series["rows"])
    if rows and cut_first(series):
        rows = rows[1:]
    return rows[:-1] if rows and cut_last(series) else rows


def cut_first(series: dict[str, Any]) -> bool:
    """Whether the data begins well inside its first period."""
    first = series["first"]
    if series["unit"] == "year":
        return bool(first[5:7] > "01")
    return bool(series["unit"] == "month" and len(first) >= 10 and int(first[8:10]) > 1 + _GRACE_DAYS)


def cut_last(series: dict[str, Any]) -> bool:
    """Whether the data ends well inside its last period."""
    last = series["last"]
    if series["unit"] == "year":
        return bool(last[5:7] < "12")
    if series["unit"] != "month" or len(last) < 10:
        return False
    days = calendar.monthrange(int(last[:4]), int(last[5:7]))[1]
    return int(last[8:10]) < days - _GRACE_DAYS
