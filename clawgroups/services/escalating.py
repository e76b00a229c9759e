"""A question that one person has not answered in time, or cannot answer any more, is put to the next ones, too."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db.models import Q

from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.approval_events import ApprovalEscalated
from clawgroups.core.changes import Change, Fact, Outcome, Update, Write
from clawgroups.models import Approval
from clawgroups.planned import Planned
from clawgroups.services.open_asks import asked, open_questions
from clawgroups.services.routing import MAY_ANSWER, put_next


def due(now: datetime, limit: int) -> list[Callable[[], Future[Outcome]]]:
    """A verb for each open question whose time for one person is over, or whose person may not answer any more."""
    return [partial(escalate, pk, now) for pk in _late(now, most=limit)]


UNABLE = ~Q(asked_of__role__in=MAY_ANSWER) | Q(asked_of__left_at__isnull=False) | Q(asked_of__user__is_active=False)
_late: Planned[UUID] = Planned(
    lambda now, most: Approval.objects.filter(
        Q(escalates_at__lte=now) | UNABLE, state="open", asked_of__isnull=False, expires_at__gt=now
    ).values_list("pk", flat=True)[:most]
)


def escalate(approval_id: UUID, now: datetime, *, to_all: bool = False) -> Future[Outcome]:
    """Put a question to the next ones, too; `to_all`: to everybody who may answer, whoever would be next.

    An answer at this very moment counts, whichever is first.
    """
    related = ("task__run", "task__workspace", "attempt", "session__agent")
    approval = Approval.objects.select_related(*related).get(pk=approval_id)
    values = {"asked_of_id": None, "escalates_at": None} if to_all else put_next(approval, now)
    seen = {"state": "open", "asked_of_id": approval.asked_of_id, "escalates_at": approval.escalates_at}
    writes: list[Write] = [Update("clawgroups.Approval", approval.pk, values, seen)]
    task = approval.task
    if task.epoch == approval.epoch and task.state in ("assigned", "working"):
        approval.asked_of_id = values["asked_of_id"]
        writes.append(asked(task, [approval, *open_questions(approval.attempt, approval.pk)], now))
    event = ApprovalEscalated(approval_id=approval.pk, task_id=task.pk, to_id=values["asked_of_id"])
    fact = Fact(approval.workspace_id, event)
    return commit.submit(
        Change(SYSTEM, approval.workspace_id, writes=tuple(writes), facts=(fact,), verb="approval.escalate")
    )
