"""What the worker does for the installation beside the sweeps: archives that were asked for, and what is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from clawgroups import bus
from clawgroups.models import Lease
from clawgroups.services import exporting, retention

PRUNE = "retention"
APART = timedelta(hours=1)


def is_due(now: datetime) -> bool:
    """Whether there may be anything to do."""
    return exporting.due(now).exists() or (_prunes() and not Lease.objects.filter(pk=PRUNE, until__gt=now).exists())


def tidy(now: datetime) -> None:
    """Make archives, and once an hour delete what is over. Safe to repeat, and for two processes at once."""
    exporting.make_due(now)
    if _prunes() and _claim(now):
        done = retention.prune(now)
        Lease.objects.filter(name=PRUNE).update(done_at=now, detail={"rows": done})


def _prunes() -> bool:
    """Whether anything is ever over."""
    return any(days is not None for days in retention.in_force().values())


def _claim(now: datetime) -> bool:
    """Whether this process prunes now: one does in an hour."""
    never = {"owner": bus.PROCESS, "until": now + APART}
    row, made = Lease.objects.get_or_create(name=PRUNE, defaults=never)
    return made or bool(Lease.objects.filter(pk=row.pk, until__lte=now).update(**never))
