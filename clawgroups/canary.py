"""The canaries: a small job per queue that goes the real way and notes that it came through.

The sweep proves that a process lives and the database answers; only a canary proves that somebody
hears a queue. A worker can be connected and hear nothing (celery#8030).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings

from clawgroups import bus
from clawgroups.models import Lease

QUEUES = ("default", "coordinator")
EVERY = timedelta(seconds=10)
SILENCE = timedelta(seconds=60)
JOB = "clawgroups.canary"
_PREFIX = "canary:"


def send(now: datetime) -> None:
    """Send a canary into every queue where the last one came through ten seconds ago.

    One that is out is waited for, and only then followed by another: nobody heaps them up in a queue
    that nobody hears. The row's `until` says when the next one is due, so it was sent that long before.
    """
    if not settings.REDIS_URL:
        return
    for queue in QUEUES:
        never = {"owner": bus.PROCESS, "until": now - SILENCE}
        row, _ = Lease.objects.get_or_create(name=_PREFIX + queue, defaults=never)
        sent = row.until - EVERY
        came_back = row.done_at is not None and row.done_at >= sent
        if now - sent >= (EVERY if came_back else SILENCE / 2):
            Lease.objects.filter(name=row.name).update(until=now + EVERY, owner=bus.PROCESS)
            bus.enqueue(JOB, queue)


def came_through(queue: str, now: datetime) -> None:
    """A canary has reached the end of its queue."""
    Lease.objects.filter(name=_PREFIX + queue).update(done_at=now)


def deaf(now: datetime, *, after: timedelta = SILENCE, queues: Iterable[str] = QUEUES) -> list[str]:
    """The queues whose canary has not come through for that long. None of them without Redis: nothing is sent."""
    if not settings.REDIS_URL:
        return []
    names = {_PREFIX + queue: queue for queue in queues}
    heard = Lease.objects.filter(name__in=names, done_at__gt=now - after).values_list("name", flat=True)
    return sorted(names[name] for name in names.keys() - set(heard))


def last_heard() -> dict[str, datetime | None]:
    """When each queue's canary last came through."""
    rows = dict(Lease.objects.filter(name__startswith=_PREFIX).values_list("name", "done_at"))
    return {queue: rows.get(_PREFIX + queue) for queue in QUEUES}
