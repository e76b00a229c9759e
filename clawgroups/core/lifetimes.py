"""For how long a link lets somebody in. Pure."""

from __future__ import annotations

from datetime import timedelta

from clawgroups.core.errors import Invalid

HOUR = 3600
DAY = 24 * HOUR
USUAL = 7 * DAY
SHORTEST, LONGEST = 60, 90 * DAY


def life(seconds: int) -> timedelta:
    """How long a link is good. Raises `Invalid`: none is good for ever."""
    if isinstance(seconds, bool) or not SHORTEST <= seconds <= LONGEST:
        raise Invalid("A link is good for a minute at the least and 90 days at the most.", field="seconds")
    return timedelta(seconds=seconds)
