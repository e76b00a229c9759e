"""Celery shells of a few lines, and the sweeper: a thread of the worker behind a database lease."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from celery import bootsteps, current_app, shared_task
from celery.signals import worker_shutdown
from celery.worker import state
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections

from clawgroups import bus, canary, commit
from clawgroups.coordinator.consultant import consultant
from clawgroups.coordinator.hearing import take_up
from clawgroups.coordinator.loop import take_turn
from clawgroups.coordinator.pace import Pace
from clawgroups.coordinator.watchdog import watch
from clawgroups.core import deadline
from clawgroups.core.clock import utc_now
from clawgroups.models import Lease
from clawgroups.reactions import react as react_to_journal
from clawgroups.services import housekeeping, knocking, letters, model_calls, outage
from clawgroups.services.deadlines import database_now
from clawgroups.services.model_servers import adopt_environment
from clawgroups.services.sweep import sweep
from clawgroups.services.turns import due_work

log = logging.getLogger(__name__)

EVERY = 2.0
SOONEST = 0.25
LEASE = 10.0
POST = 10.0  # seconds between two looks at which letters are due
TIDY = 5.0  # and at whether an archive is asked for, or something is over
REACTION = 60.0
DEAF = timedelta(minutes=3)
LEAVE = 2.5  # seconds in which calls to models are put back for other processes
EX_TEMPFAIL = 75
Work = Callable[[datetime], object]
pace = Pace()


@shared_task(name="clawgroups.react")
def react(workspace_id: str) -> None:
    """Start what a workspace's new journal entries cause. Safe to repeat and to lose."""
    for run_id in _woken(UUID(workspace_id)):
        bus.enqueue("clawgroups.coordinate", str(run_id))


def _woken(workspace_id: UUID) -> list[UUID]:
    with deadline.within(REACTION):
        return react_to_journal(workspace_id)


@shared_task(name="clawgroups.coordinate")
def coordinate(run_id: str) -> None:
    """One turn of the coordinator on a run. Safe to repeat and to lose."""
    pk = UUID(run_id)
    if pace.arrives(pk):
        take_turn(pk, stuck=end_process)


@shared_task(name=model_calls.JOB)
def consult(call_id: str) -> None:
    """Have a recorded question to the model carried out beside the jobs. Safe to repeat and to lose."""
    consultant.take(UUID(call_id))


@shared_task(name=canary.JOB)
def come_through(queue: str) -> None:
    """Note that somebody hears this queue."""
    canary.came_through(queue, utc_now())


def end_process(run_id: UUID) -> None:
    """The hard limit of a pool of threads: a turn that nothing ends is ended with its process."""
    _leave(f"the turn of run {run_id} does not end")


def _leave(reason: str) -> None:
    """End this process at once: whoever started it starts it anew, and all it did is safe to be cut off."""
    log.critical("%s: it ends here, to be started again", reason)
    os._exit(EX_TEMPFAIL)


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
        self._by_hand = ByHand()
        self._ear: Ear | None = None
        self._beside = (
            Beside("post", letters.post, lambda _now: letters.is_set_up(), POST),
            Beside("housekeeping", housekeeping.tidy, housekeeping.is_due, TIDY),
        )
        self._knocked = -knocking.EVERY

    def start(self, ear: Ear | None = None) -> None:
        """Begin, in a thread of its own; with an ear, see to it that this worker hears its queues."""
        self._ear = ear
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the sweep in progress."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def rest(self, seconds: float) -> bool:
        """Wait until nothing is done beside the sweeps any more; False when that took longer."""
        return self._by_hand.rest(seconds) and all(each.rest(seconds) for each in self._beside)

    def _run(self) -> None:
        adopted = False
        looked = -EVERY  # not as often as sweeps where the clock is scaled: a message may take its time
        while not self._stop.is_set():
            close_old_connections()
            try:
                now = database_now()
                if not adopted:
                    adopt_environment()
                    adopted = True
                if self.once(now):
                    canary.send(now)
                    if time.monotonic() - looked >= EVERY:
                        looked = time.monotonic()
                        self._by_hand.look()
                if self._ear is not None and self._ear.is_deaf(now):
                    _leave("this worker hears nothing any more while Redis answers")
            except DatabaseError as away:
                log.warning("the sweep waits for the database: %s", away)
                connections.close_all()
            except Exception:
                # Whatever it was: a worker whose sweeper has ended finds nothing any more.
                log.exception("a sweep failed")
            self._stop.wait(max(EVERY * min(settings.CLOCK_SCALE, 1), SOONEST))
        connections.close_all()

    def once(self, now: datetime) -> bool:
        """One sweep, if the lease is ours. After an outage of our own a quiet time begins, in which nobody expires."""
        if not hold_lease("sweep", bus.PROCESS, now, LEASE):
            return False
        ours = outage.notice(now)
        sweep(now, quiet=ours.is_quiet(now), away=ours.away_since is not None)
        watch(now, quiet=ours.is_quiet(now) or ours.away_since is not None)
        self._knock(now)
        for each in self._beside:
            each.look(now)
        Lease.objects.filter(name="sweep", owner=bus.PROCESS).update(done_at=database_now())
        return True

    def _knock(self, now: datetime) -> None:
        """Where model servers rest, find out whether they are back: only who sweeps does."""
        if time.monotonic() - self._knocked >= knocking.every():
            self._knocked = time.monotonic()
            for server_id in knocking.resting(now):
                consultant.knock(server_id)


class Beside:
    """Does something beside the sweeps, one round after another: it may take its time."""

    def __init__(self, name: str, work: Work, due: Callable[[datetime], bool], every: float) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._name, self._work, self._due, self._every = name, work, due, every
        self._round: Future[None] | None = None
        self._looked = -every

    def look(self, now: datetime) -> None:
        """Begin a round where there is something to do, unless one is under way or was only just looked for."""
        idle = self._round is None or self._round.done()
        if idle and time.monotonic() - self._looked >= self._every:
            self._looked = time.monotonic()
            if self._due(now):
                self._round = self._pool.submit(self._go, now)

    def rest(self, seconds: float) -> bool:
        """Wait for the end of a round that is under way; False when that took longer."""
        return self._round is None or not wait([self._round], seconds).not_done

    def _go(self, now: datetime) -> None:
        try:
            self._work(now)
        except Exception:
            log.exception("%s could not be done, trying again", self._name)
        finally:
            connections.close_all()


class ByHand:
    """Does what is still due at a second look: its message was lost, Redis is away, or nobody hears the queue.

    So the engine goes on, more slowly, without any broker. A second worker that does the same meanwhile
    does no harm: reactions advance a cursor, turns hold their run.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="by-hand")
        self._seen: dict[tuple[str, UUID], int] = {}
        self._changed = threading.Condition()
        self._under_way: set[tuple[str, UUID]] = set()

    def look(self) -> None:
        """Compare what is due with what was due at the last look."""
        due = due_work()
        with self._changed:
            late = [work for work, at in due.items() if self._seen.get(work) == at and work not in self._under_way]
            self._under_way.update(late)
        self._seen = due
        for work in late:
            self._pool.submit(self._do, work)

    def rest(self, seconds: float) -> bool:
        """Wait until nothing is under way; False when that took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._under_way, seconds)

    def _do(self, work: tuple[str, UUID]) -> None:
        kind, pk = work
        try:
            log.info("%s of %s is done by hand", kind, pk)
            if kind == "consult":
                consultant.take(pk)
                return
            if kind == "hear":
                take_up(pk)
                return
            for run_id in _woken(pk) if kind == "react" else [pk]:
                take_turn(run_id, stuck=end_process)
        except Exception:
            log.exception("%s of %s failed", kind, pk)
        finally:
            connections.close_all()
            with self._changed:
                self._under_way.discard(work)
                self._changed.notify_all()


class Ear:
    """Ends a worker that is idle while the canaries of its queues do not come through and Redis answers.

    Nothing else is known to make a worker hear again that has lost its hearing; whoever started it
    starts it anew.
    """

    def __init__(self, queues: Iterable[str], *, idle: Callable[[], bool]) -> None:
        self._queues = list(queues)
        self._since = utc_now()
        self._idle = idle

    def is_deaf(self, now: datetime) -> bool:
        """Whether this process should leave."""
        if now - self._since < DEAF or not self._idle():
            return False
        swept = Lease.objects.filter(name="sweep", done_at__gt=now - canary.SILENCE).exists()
        # Without a sweeper nobody sends canaries; without Redis nobody can hear them.
        return swept and bool(canary.deaf(now, after=DEAF, queues=self._queues)) and bus.answers()


sweeper = Sweeper()


class Sweeping(bootsteps.StartStopStep):
    """Sweeps from before the first connection to Redis on: the sweep needs none."""

    requires = {"celery.worker.components:Pool"}

    def start(self, worker: Any) -> None:
        queues = worker.app.amqp.queues.consume_from
        sweeper.start(Ear(queues, idle=lambda: not state.reserved_requests and not state.active_requests))

    def stop(self, worker: Any) -> None:
        sweeper.stop()


current_app.steps["worker"].add(Sweeping)


@worker_shutdown.connect(weak=False)
def _stop(**_: object) -> None:
    consultant.leave(LEAVE)
    commit.drain()
