"""Celery shells of a few lines, and the sweeper: a thread of the worker behind a database lease."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from uuid import UUID

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections

from clawgroups import bus, commit
from clawgroups.coordinator.loop import take_turn
from clawgroups.models import Lease
from clawgroups.reactions import react as react_to_journal
from clawgroups.services import outage
from clawgroups.services.deadlines import database_now
from clawgroups.services.sweep import sweep

log = logging.getLogger(__name__)

EVERY = 2.0
SOONEST = 0.25
LEASE = 10.0


@shared_task(name="clawgroups.react")
def react(workspace_id: str) -> None:
    """Start what a workspace's new journal entries cause. Safe to repeat and to lose."""
    for run_id in react_to_journal(UUID(workspace_id)):
        bus.enqueue("clawgroups.coordinate", str(run_id))


@shared_task(name="clawgroups.coordinate")
def coordinate(run_id: str) -> None:
    """One turn of the coordinator on a run. Safe to repeat and to lose."""
    take_turn(UUID(run_id))


def hold_lease(name: str, owner: str, now: datetime, seconds: float) -> bool:
    """Take or renew a lease; False while another process holds it."""
    until = now + timedelta(seconds=seconds)
    mine = Lease.objects.filter(name=name, owner=owner)
    lapsed = Lease.objects.filter(name=name, until__lte=now)
    if mine.update(until=until) or lapsed.update(owner=owner, until=until):
        return True
    _, made = Lease.objects.get_or_create(name=name, defaults={"owner": owner, "until": until})
    return made


class Sweeper:
    """Every two seconds: hold the lease, sweep, note that it was done."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the sweep in progress."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.is_set():
            close_old_connections()
            try:
                self.once(database_now())
            except DatabaseError as away:
                log.warning("the sweep waits for the database: %s", away)
                connections.close_all()
            self._stop.wait(max(EVERY * min(settings.CLOCK_SCALE, 1), SOONEST))

    def once(self, now: datetime) -> bool:
        """One sweep, if the lease is ours. After an outage of our own a quiet time begins, in which nobody expires."""
        if not hold_lease("sweep", bus.PROCESS, now, LEASE):
            return False
        ours = outage.notice(now)
        sweep(now, quiet=ours.is_quiet(now), away=ours.away_since is not None)
        Lease.objects.filter(name="sweep", owner=bus.PROCESS).update(done_at=database_now())
        return True


sweeper = Sweeper()


@worker_ready.connect(weak=False)
def _begin_sweeping(**_: object) -> None:
    sweeper.start()


@worker_shutdown.connect(weak=False)
def _stop(**_: object) -> None:
    sweeper.stop()
    commit.drain()
