"""Durations as people write and read them: `45 s`, `5 min`, `1 h 30 min`, `2 days`."""

from __future__ import annotations

import re

UNITS = {"d": 86400, "h": 3600, "min": 60, "s": 1}
_NAMES = {
    **dict.fromkeys(("d", "day", "days", "天", "日"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "小时", "时"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "分钟", "分"), "min"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "秒"), "s"),
}
_PART = re.compile(r"\s*(\d{1,9}(?:[.,]\d{1,3})?)\s*([a-z]+|[天日小时分钟秒]+)\s*[,，]?", re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Seconds from words like `5 min`, `1h30m`, `1.5 hours`; a bare number is seconds. Raises ValueError."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,3})?", text):
        return float(text)
    total, at = 0.0, 0
    while at < len(text):
        part = _PART.match(text, at)
        unit = _NAMES.get(part[2].lower()) if part else None
        if part is None or unit is None:
            raise ValueError(f"“{text[:40]}” is no duration. Write it like “45 s”, “5 min” or “1 h 30 min”.")
        total += float(part[1].replace(",", ".")) * UNITS[unit]
        at = part.end()
    if not text:
        raise ValueError("Write a duration like “45 s”, “5 min” or “1 h 30 min”.")
    return total


def say_duration(seconds: float) -> str:
    """A duration in words, to the second."""
    left = round(seconds)
    said = []
    for unit, size in UNITS.items():
        count, left = divmod(left, size)
        if count:
            said.append(f"{count} {unit}" if unit != "d" else f"{count} day{'s' if count > 1 else ''}")
    return " ".join(said) or "0 s"
