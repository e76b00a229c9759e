"""Open requests for a task that a person holds: found, and void as soon as the task is in other hands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db.models import F, Q, QuerySet

from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.control_events import ControlAnswered
from clawgroups.models import ControlRequest, Task
from clawgroups.planned import Planned
from clawgroups.services.attempts import Decision

LIVING = ("open", "offered")


def living(task: Task) -> QuerySet[ControlRequest]:
    """The requests and offers that still count: made to, or by, whoever holds the task now; oldest first."""
    here = ControlRequest.objects.filter(task=task.pk, state__in=LIVING, holder=task.holder_id)
    return here.select_related("member", "holder") if task.state == "held" else here.none()


def voided(task: Task, now: datetime, *, but: UUID | None = None) -> Decision:
    """Part of every change that takes a task out of its holder's hands: who asked is told, and may ask anew."""
    decision = Decision()
    found = ControlRequest.objects.filter(task=task.pk, state__in=LIVING)
    for request in found if task.holder_id is not None else ():
        if request.pk != but:
            answered(decision, request, "void", now)
    return decision


def answered(decision: Decision, request: ControlRequest, outcome: str, now: datetime, word: str = "") -> None:
    """The end of a request, as part of a change."""
    values = {"state": outcome, "answered_at": now, "answer": word}
    decision.writes.append(Update("clawgroups.ControlRequest", request.pk, values, {"state": request.state}))
    fact = ControlAnswered(request_id=request.pk, task_id=request.task_id, member_id=request.member_id, outcome=outcome)
    decision.facts.append(Fact(request.workspace_id, fact))


def left_over(now: datetime, limit: int) -> Iterable[Callable[[], Future[Outcome]]]:
    """Requests that were made at the moment at which the task moved on, or whose task ended otherwise; and those of
    people who are not here any more."""
    return [partial(_void, request, now) for request in _moved_on(most=limit)]


_moved_on: Planned[ControlRequest] = Planned(
    lambda most: ControlRequest.objects.filter(
        ~Q(task__state="held") | ~Q(task__holder=F("holder")) | Q(member__left_at__isnull=False), state__in=LIVING
    )[:most]
)


def _void(request: ControlRequest, now: datetime) -> Future[Outcome]:
    decision = Decision()
    answered(decision, request, "void", now)
    return commit.submit(
        Change(
            SYSTEM,
            request.workspace_id,
            writes=tuple(decision.writes),
            facts=tuple(decision.facts),
            verb="control.void",
        )
    )
