"""Whether we ourselves were away, and for how long: our downtime is never the agents' fault. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Pulse:
    """What is known of us: the last sweep, the last sign of a process that holds agents' sockets, and what an
    earlier look has found."""

    swept_at: datetime | None = None
    gateway_at: datetime | None = None
    away_since: datetime | None = None
    quiet_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether we are away still (`away_since`), or were until now (`over`: since when), and until when to be quiet."""

    away_since: datetime | None = None
    over: datetime | None = None
    quiet_until: datetime | None = None

    def is_quiet(self, now: datetime) -> bool:
        """Whether nothing of the agents' may be expired."""
        return self.away_since is not None or (self.quiet_until is not None and now < self.quiet_until)


def look(pulse: Pulse, now: datetime, *, gap: timedelta, lapse: timedelta, quiet: timedelta) -> Finding:
    """Judge our own pulse at the beginning of a sweep.

    `gap`: so long without a sweep means that nobody found anything due (the worker or the database was
    away). `lapse`: so long without a sign of a gateway means that no agent could speak to us. `quiet`:
    how long the agents have, after we are back, to come back too.
    """
    starts = [pulse.away_since] if pulse.away_since is not None else []
    if pulse.swept_at is not None and now - pulse.swept_at > gap:
        starts.append(pulse.swept_at)
    lapsed = pulse.gateway_at is not None and now - pulse.gateway_at > lapse
    if lapsed and pulse.gateway_at is not None:
        starts.append(pulse.gateway_at)
    since = min(starts, default=None)
    if lapsed:
        return Finding(away_since=since, quiet_until=pulse.quiet_until)
    if since is not None:
        return Finding(over=since, quiet_until=now + quiet)
    # The very first sweep of an installation: whoever is to connect has not had the time.
    begun = now + quiet if pulse.swept_at is None else pulse.quiet_until
    return Finding(quiet_until=begun)
