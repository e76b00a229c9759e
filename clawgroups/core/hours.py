"""When a person may be asked to do something: hours on days of the week, in their own time zone. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from clawgroups.core.errors import Invalid

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Hours:
    """From a time of day to another, on these days (0 is Monday). To an earlier time means into the next day."""

    zone: str = "UTC"
    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    begin: time = time(9)
    end: time = time(17)

    def hold(self, now: datetime) -> bool:
        """Whether this moment lies within them. From a time to the same time is the whole day."""
        local = now.astimezone(ZoneInfo(self.zone))
        at, today = local.time(), local.weekday()
        if self.begin < self.end:
            return today in self.days and self.begin <= at < self.end
        yesterday = (local - timedelta(days=1)).weekday()
        return (today in self.days and at >= self.begin) or (yesterday in self.days and at < self.end)

    def as_json(self) -> dict[str, Any]:
        days = [DAYS[day] for day in self.days]
        return {"zone": self.zone, "days": days, "from": f"{self.begin:%H:%M}", "to": f"{self.end:%H:%M}"}


def read_hours(said: Mapping[str, Any]) -> Hours | None:
    """Hours as they are stored or sent; None, at any time, for nothing. Raises `Invalid` saying what is wrong."""
    if not said:
        return None
    zone = str(said.get("zone") or "UTC")
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):
        raise Invalid(
            f"There is no time zone “{zone[:60]}”. Write it like Europe/Berlin, or UTC.", field="zone"
        ) from None
    return Hours(zone, _days(said.get("days", DAYS[:5])), _clock(said, "from", "09:00"), _clock(said, "to", "17:00"))


def _days(said: Any) -> tuple[int, ...]:
    if not isinstance(said, list | tuple) or not said or any(day not in DAYS for day in said):
        raise Invalid(f"Name at least one day: {', '.join(DAYS)}.", field="days")
    return tuple(sorted({DAYS.index(day) for day in said}))


def _clock(said: Mapping[str, Any], key: str, default: str) -> time:
    found = CLOCK.fullmatch(str(said.get(key) or default).strip())
    if found is None:
        raise Invalid("Write a time of day like 09:00.", field=key)
    return time(int(found[1]), int(found[2]))
