"""What is due, found in the database: every deadline is a row, every lost hint is found again.

`sweep` looks and starts; each consequence is an ordinary fenced verb, so two sweepers at once do no
harm. Consequences are submitted together and committed together. Nothing of an agent's is expired
for one lease and grace after our own start or outage: our downtime is never the agents' fault
(reliability.md 2.3).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet

from clawgroups import bus, commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.clocks import REASONS
from clawgroups.core.errors import ClawError
from clawgroups.core.failures import Failure
from clawgroups.core.task_events import StopUnconfirmed
from clawgroups.core.timer_settings import SHORTEST_LEASE
from clawgroups.core.timers import Timers
from clawgroups.models import Approval, Attempt, Member, Run, Session, Task
from clawgroups.planned import Planned
from clawgroups.services import (
    approvals,
    asked_for,
    breakers,
    budgets,
    call_ends,
    closing,
    contact,
    escalating,
    gone,
    in_hand,
    model_calls,
    overdue,
    rests,
    runs,
    sessions,
    steered,
    tasks,
    turns,
)

log = logging.getLogger(__name__)

LIMIT = 500  # of each kind in one sweep; the rest follows two seconds later
Verb = Callable[[], Future[Outcome]]


def sweep(now: datetime, *, quiet: bool, away: bool = False) -> int:
    """Start everything that is due. How much was started.

    `quiet`: expire nothing of the agents yet. `away`: no agent and no person can reach us at this
    moment, so that no deadline counts at all.
    """
    started = _wake(now)
    if away:
        return started
    started += _do([*_approvals(now), *_unconfirmed(now), *_runs(now), *breakers.due(now, LIMIT)])
    started += _do([*budgets.due(now, LIMIT), *call_ends.late(now, LIMIT)])
    started += _do(closing.left_running(LIMIT))
    started += _do(gone.left_behind(now, LIMIT))
    started += _do([*gone.owed_to_nobody(LIMIT), *asked_for.left_over(now, LIMIT)])
    if not quiet:
        started += _do(_silent_links(now))
        started += _do(steered.away_too_long(now, LIMIT))
    started += _do([*_in_hand(now, expire=not quiet), *overdue.due_tasks(now, LIMIT, expire=not quiet)])
    return started + _do(rests.amiss(now, LIMIT))


def _do(verbs: Iterable[Verb]) -> int:
    """Carry consequences out, all in one commit where possible; a row that moved on meanwhile needs nothing."""
    submitted: list[Future[Outcome]] = []
    done = 0
    for verb in verbs:
        try:
            submitted.append(verb())
        except ClawError as moved:
            log.info("not due any more: %s", moved)
    for future in submitted:
        try:
            done += commit.wait(future).applied
        except ClawError as moved:
            log.info("not due any more: %s", moved)
    return done


def _wake(now: datetime) -> int:
    behind = turns.behind()
    for workspace_id in behind:
        bus.enqueue("clawgroups.react", str(workspace_id))
    # Runs with a task whose back-off is over, or a review that nobody has begun.
    waiting = {*_with_ready_tasks(now), *_with_reviews()}
    if waiting and (idle := _idle_of(waiting)):
        _do([lambda: turns.want_turn(idle)])
    wanting = turns.runs_wanting(now)
    for run_id in wanting:
        bus.enqueue("clawgroups.coordinate", str(run_id))
    asked = model_calls.due_calls(now, LIMIT)
    for call_id in asked:
        bus.enqueue(model_calls.JOB, str(call_id))
    return len(behind) + len(wanting) + len(asked)


def _running(tasks: QuerySet[Task]) -> QuerySet[Task, UUID]:
    """The running runs of these."""
    # Without an order of their own: that would make every task's row distinct.
    return tasks.filter(run__state="running").order_by().values_list("run_id", flat=True).distinct()


_with_ready_tasks: Planned[UUID] = Planned(
    lambda now: _running(Task.objects.filter(state="ready", paused="").exclude(not_before__gt=now))
)
_with_reviews: Planned[UUID] = Planned(lambda: _running(Task.objects.filter(state="in_review", blocked_on="nobody")))
_idle_of: Planned[UUID] = Planned(
    lambda runs: Run.objects.filter(
        state="running", paused=False, budget_stop="", wanted__lte=F("turned"), pk__in=runs
    ).values_list("pk", flat=True)[:LIMIT]
)


def _approvals(now: datetime) -> list[Verb]:
    return [
        *(partial(approvals.expire_approval, pk, at=now) for pk in _expired(now)),
        *(partial(approvals.void_approval, pk) for pk in _orphans(now)),
        *escalating.due(now, LIMIT),
    ]


_expired: Planned[UUID] = Planned(
    lambda now: Approval.objects.filter(state="open", expires_at__lte=now).values_list("pk", flat=True)[:LIMIT]
)
_orphans: Planned[UUID] = Planned(
    lambda now: (
        Approval.objects.filter(state="open", expires_at__gt=now)
        .exclude(Q(attempt__state__in=["offered", "working"], epoch=F("task__epoch")))
        .values_list("pk", flat=True)[:LIMIT]
    )
)


def _runs(now: datetime) -> list[Verb]:
    return [partial(runs.expire_run, pk) for pk in _late_runs(now)]


_late_runs: Planned[UUID] = Planned(
    lambda now: Run.objects.filter(
        state__in=["planning", "running", "consolidating"], deadline_at__lte=now
    ).values_list("pk", flat=True)[:LIMIT]
)
_asked_to_stop: Planned[Attempt] = Planned(lambda now: Attempt.objects.filter(stop="asked", ended_at__lte=now)[:LIMIT])


def _unconfirmed(now: datetime) -> list[Verb]:
    asked = _asked_to_stop(now)
    timers = in_hand.timers_by(attempt.workspace_id for attempt in asked) if asked else {}
    return [
        partial(_unconfirm, attempt)
        for attempt in asked
        if attempt.ended_at is not None
        and attempt.ended_at + timedelta(seconds=timers[attempt.workspace_id].cancel_grace) <= now
    ]


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


def _silent_links(now: datetime) -> list[Verb]:
    """Links that are silent for longer than any workspace of their agent allows are given up."""
    suspects = contact.lost_links(now - timedelta(seconds=SHORTEST_LEASE * settings.CLOCK_SCALE))[:LIMIT]
    if not suspects:
        return []
    seats = Member.objects.filter(agent__in=[c.agent_id for c in suspects], left_at=None)
    rooms = list(seats.values_list("agent_id", "workspace_id"))
    timers = in_hand.timers_by(workspace_id for _, workspace_id in rooms)
    patience: dict[UUID | None, float] = {}
    for agent_id, workspace_id in rooms:
        patience[agent_id] = max(patience.get(agent_id, 0.0), timers[workspace_id].lost_contact)
    default = Timers().scaled(settings.CLOCK_SCALE).lost_contact
    return [
        partial(contact.close_connection, c.pk, epoch=c.epoch, reason="lost contact", at=now)
        for c in suspects
        if c.seen_at + timedelta(seconds=patience.get(c.agent_id, default)) <= now
    ]


def _in_hand(now: datetime, *, expire: bool) -> list[Verb]:
    verbs: list[Verb] = []
    for found in in_hand.survey(now, expire=expire):
        if found.failure is not None:
            verbs.append(partial(_take_back, found.attempt, found.failure, now))
        elif found.sign is not None:
            verbs.append(partial(in_hand.note, found.attempt, found.sign, now))
    return verbs


def _take_back(attempt: Attempt, failure: Failure, now: datetime) -> Future[Outcome]:
    task = attempt.task
    task.attempt = attempt
    # An agent that comes back, or goes on, at this very moment keeps its work.
    seen = {"contact": attempt.contact, "progress_at": attempt.progress_at}
    if failure is Failure.NOT_ACKNOWLEDGED:
        return overdue.not_acknowledged(task, now)
    if failure is Failure.LOST_CONTACT:
        # Its session goes with it: nothing more is sent there, and what it still says is evidence.
        session = Session.objects.filter(attempt=attempt, state__in=["opening", "open"], link__isnull=False).last()
        if session is not None:
            return sessions.session_lost(session.pk, reason=REASONS[failure], failure=failure, seen=seen)
    return tasks.release_task(
        task.pk, reason=REASONS[failure], epoch=task.epoch, actor=SYSTEM, failure=failure, seen=seen
    )
