"""How numbers and names are written in prose, each number with its source mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from agents.builtin.marks import Mark, escape

_NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def fmt(value: int | float | Decimal) -> str:
    """A number with thousands separators: whole as it is, else two decimals, or three digits that count if small."""
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(float(value))
    if size == 0:
        return "0"
    if size >= 1:
        return f"{value:,.2f}"
    return f"{value:.{min(2 - math.floor(math.log10(size)), 12)}f}"


def fmt_percent(value: float | Decimal) -> str:
    """A share or change in per cent, with one decimal, two if it would vanish."""
    size = abs(float(value))
    return f"{value:,.1f}" if size >= 0.1 or size == 0 else f"{value:.2f}"


def sourced(value: int | float | Decimal, mark: Mark, unit: str = "") -> str:
    """A number, its unit, and its source mark."""
    return f"{fmt(value)}{' ' + unit if unit else ''} {mark}"


def sourced_percent(value: float | Decimal, mark: Mark) -> str:
    """A percentage and its source mark."""
    return f"{fmt_percent(value)} % {mark}"


def name(text: str) -> str:
    """The name of a column, a key or a file in prose."""
    return f"“{escape(text).replace('“', '‘').replace('”', '’')}”"


def joined(parts: Sequence[str], last: str = "and") -> str:
    """One, two and three."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def numeral(number: int) -> str:
    """A small number as a word, so that prose about the report itself is not mistaken for data."""
    return _NUMERALS[number] if number < len(_NUMERALS) else "many"


def plural(number: int, one: str, many: str = "") -> str:
    """The form of a noun that goes with a number."""
    return one if number == 1 else many or one + "s"
