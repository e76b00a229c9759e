"""What is due, found in the database: every deadline is a row, every lost hint is found again.

`sweep` looks and starts; each consequence is an ordinary fenced verb, so two sweepers at once do no
harm. Nothing of an agent's is expired for one lease and grace after our own start or outage: our
downtime is never the agents' fault (reliability.md 2.3).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F

from clawgroups import bus, commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.errors import ClawError
from clawgroups.core.task_events import StopUnconfirmed
from clawgroups.core.timers import Timers
from clawgroups.models import Approval, Attempt, Command, Run, Session, Task, Workspace
from clawgroups.services import approvals, contact, sessions, tasks, turns
from clawgroups.services.attempts import timers_of

log = logging.getLogger(__name__)

LIMIT = 500  # of each kind in one sweep; the rest follows two seconds later


def sweep(now: datetime, *, quiet: bool) -> int:
    """Start everything that is due. `quiet`: expire nothing of the agents yet. How much was started."""
    started = _wake(now)
    work = [*_approvals(now), *_unconfirmed(now)]
    if not quiet:
        work += [*_silent_links(now), *_lost_sessions(now), *_overdue(now), *_stalled(now), *_unacknowledged(now)]
    for verb in work:
        started += _do(verb)
    return started


def _do(verb: Callable[[], Future[Outcome]]) -> int:
    """Carry one consequence out; a row that moved on meanwhile needs nothing."""
    try:
        return int(commit.wait(verb()).applied)
    except ClawError as moved:
        log.info("not due any more: %s", moved)
        return 0


def _wake(now: datetime) -> int:
    unreacted = Workspace.objects.filter(head__gt=F("reacted")).values_list("pk", flat=True)[:LIMIT]
    for workspace_id in unreacted:
        bus.enqueue("clawgroups.react", str(workspace_id))
    idle = Run.objects.filter(
        state="running", paused=False, wanted__lte=F("turned"), pk__in=_runs_with_waiting_work(now)
    ).values_list("pk", flat=True)[:LIMIT]
    if idle:
        _do(lambda: turns.want_turn(list(idle)))
    wanting = turns.runs_wanting(now)
    for run_id in wanting:
        bus.enqueue("clawgroups.coordinate", str(run_id))
    return len(unreacted) + len(wanting)


def _runs_with_waiting_work(now: datetime) -> list[UUID]:
    """Runs with a task whose back-off is over, or a review that nobody has begun."""
    ready = Task.objects.filter(run__state="running", state="ready").exclude(not_before__gt=now)
    review = Task.objects.filter(run__state="running", state="in_review", blocked_on="nobody")
    return [*ready.values_list("run_id", flat=True).distinct(), *review.values_list("run_id", flat=True).distinct()]


def _approvals(now: datetime) -> Iterable[Callable[[], Future[Outcome]]]:
    due = Approval.objects.filter(state="open", expires_at__lte=now).values_list("pk", flat=True)[:LIMIT]
    return [lambda pk=pk: approvals.expire_approval(pk) for pk in due]  # type: ignore[misc]


def _unconfirmed(now: datetime) -> Iterable[Callable[[], Future[Outcome]]]:
    grace = Timers().scaled(settings.CLOCK_SCALE).cancel_grace
    due = Attempt.objects.filter(stop="asked", ended_at__lte=now - timedelta(seconds=grace))[:LIMIT]
    return [lambda a=attempt: _unconfirm(a) for attempt in due]  # type: ignore[misc]


def _unconfirm(attempt: Attempt) -> Future[Outcome]:
    fact = StopUnconfirmed(task_id=attempt.task_id, attempt_id=attempt.pk)
    return commit.submit(
        Change(
            SYSTEM,
            attempt.workspace_id,
            writes=(Update("clawgroups.Attempt", attempt.pk, {"stop": "unconfirmed"}, {"stop": "asked"}),),
            facts=(Fact(attempt.workspace_id, fact),),
            verb="attempt.unconfirm",
        )
    )


def _silent_links(now: datetime) -> Iterable[Callable[[], Future[Outcome]]]:
    lease = Timers().scaled(settings.CLOCK_SCALE).lost_contact
    lost = contact.lost_links(now - timedelta(seconds=lease))[:LIMIT]
    return [
        lambda c=c: contact.close_connection(c.pk, epoch=c.epoch, reason="lost contact")  # type: ignore[misc]
        for c in lost
    ]


def _lost_sessions(now: datetime) -> Iterable[Callable[[], Future[Outcome]]]:
    """Sessions whose link has been closed for longer than the grace: the agent is not coming back to them."""
    grace = Timers().scaled(settings.CLOCK_SCALE).grace
    gone = Session.objects.filter(state="open", attempt__state__in=["offered", "working"]).extra(
        tables=["agents_connection"],
        where=["agents_connection.id = clawgroups_session.link", "agents_connection.closed_at <= %s"],
        params=[now - timedelta(seconds=grace)],
    )
    due = list(gone.values_list("pk", flat=True)[:LIMIT])
    return [lambda pk=pk: sessions.session_lost(pk, reason="contact to the agent was lost") for pk in due]  # type: ignore[misc]


def _overdue(now: datetime) -> Iterable[Callable[[], Future[Outcome]]]:
    due = Task.objects.filter(state__in=["assigned", "working"], blocked_on="agent", deadline_at__lte=now)
    return [lambda t=task: _expire(t, "it was not finished in time") for task in due[:LIMIT]]  # type: ignore[misc]


def _stalled(now: datetime) -> Iterable[Callable[[], Future[Outcome]]]:
    working = Task.objects.select_related("attempt", "workspace").filter(
        state="working", blocked_on="agent", attempt__progress_at__isnull=False
    )
    # The shortest patience any workspace may have; each row is then held against its own.
    suspects = working.filter(attempt__progress_at__lte=now - timedelta(seconds=5 * settings.CLOCK_SCALE))[:LIMIT]
    return [lambda t=t: _expire(t, "no progress was seen for too long") for t in suspects if _is_stalled(t, now)]  # type: ignore[misc]


def _is_stalled(task: Task, now: datetime) -> bool:
    assert task.attempt is not None
    assert task.attempt.progress_at is not None
    return now - task.attempt.progress_at >= timedelta(seconds=timers_of(task.workspace).hard_stall)


def _unacknowledged(now: datetime) -> Iterable[Callable[[], Future[Outcome]]]:
    limit = Timers().scaled(settings.CLOCK_SCALE).acknowledge
    asked = Command.objects.select_related("attempt__task").filter(
        purpose="acknowledge", state="sent", sent_at__lte=now - timedelta(seconds=limit)
    )
    due = [c.attempt.task for c in asked[:LIMIT] if c.attempt and c.attempt.state in ("offered", "working")]
    return [lambda t=t: _expire(t, "the hand-back was not acknowledged in time") for t in due]  # type: ignore[misc]


def _expire(task: Task, reason: str) -> Future[Outcome]:
    return tasks.release_task(task.pk, reason=reason, epoch=task.epoch, actor=SYSTEM, expired=True)
