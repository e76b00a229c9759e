"""Amounts as people write and read them: counts, and US dollars, which are kept as whole millionths."""

from __future__ import annotations

import re

MICRO = 1_000_000
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_COUNT = re.compile(r"(\d{1,15})(?:\.(\d{1,9}))?([kmb]?)", re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}([,\s\u202f\u00a0']\d{3})+")
_AMOUNT = re.compile(r"\$?\s*(\d{1,9}(?:[.,]\d{1,6})?)\s*(?:\$|usd|dollars?)?", re.IGNORECASE)


def parse_dollars(text: str) -> int:
    """Millionths of a dollar from words like `5`, `$2.50`, `0,75 USD`. Raises ValueError."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"“{text.strip()[:40]}” is no amount. Write US dollars like “5” or “2.50”.")
    whole, _, part = found[1].replace(",", ".").partition(".")
    return int(whole) * MICRO + int(part.ljust(6, "0") or 0)


def say_dollars(micro: int) -> str:
    """An amount with as many digits as say something: `$12.30`, `$0.042`, `$0.0031`."""
    if micro == 0:
        return "$0"
    if micro < 100:
        return "under $0.0001"
    if micro >= 100 * MICRO:
        return f"${micro / MICRO:,.0f}".replace(",", "\u202f")
    if micro >= MICRO:
        return f"${micro / MICRO:.2f}"
    digits = 2 if micro >= MICRO // 10 else 3 if micro >= MICRO // 100 else 4
    return f"${micro / MICRO:.{digits}f}"


def write_dollars(micro: int) -> str:
    """An amount as it stands in a field to be changed: `2.5`."""
    return f"{micro // MICRO}.{micro % MICRO:06d}".rstrip("0").rstrip(".")


def parse_count(text: str) -> int:
    """A whole number from words like `2000`, `2 000 000`, `500k`, `1.5M`. Raises ValueError."""
    said = text.strip()
    if _GROUPED.fullmatch(said):
        said = re.sub(r"\D", "", said)
    found = _COUNT.fullmatch(said.replace(" ", ""))
    value = int(found[1] + (found[2] or "")) * _UNITS[found[3].lower()] if found else 0
    scale = 10 ** len(found[2] or "") if found else 1
    if found is None or value % scale:
        raise ValueError(f"“{text.strip()[:40]}” is no whole number. Write it like “2000”, “500k” or “2M”.")
    return value // scale


def say_count(count: int) -> str:
    """A count in a few characters: `950`, `12.3k`, `1.5M`."""
    for unit, size in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            shown = f"{count / size:.0f}" if count >= 100 * size else f"{count / size:.1f}"
            return shown.removesuffix(".0") + unit
    return str(count)
