"""Who has a task's page open: a lease per person and task, renewed while it is, and never in the journal."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Outcome, Put
from clawgroups.models import Member, Task, Watch
from clawgroups.permissions import get_task, require, seat_of

# A page says every RENEW seconds that it is open; several pages of one person write once. Who is silent for LEASE
# seconds is gone: less than a minute after they left, also for those who look only every RENEW seconds.
RENEW = 15.0
FRESH = 13.0
LEASE = 40.0


def watchers_of(task: Task, now: datetime) -> list[Member]:
    """The people who watch a task at this moment, without the one who holds it; by name."""
    since = now - timedelta(seconds=LEASE)
    rows = Watch.objects.filter(task=task.pk, seen_at__gte=since, member__left_at=None, member__user__is_active=True)
    found = [row.member for row in rows.select_related("member")]
    return sorted((one for one in found if one.pk != task.holder_id), key=lambda one: one.name.casefold())


def is_watching(task: Task, member: Member, now: datetime) -> bool:
    """Whether this person has the task's page open."""
    return member.pk in {one.pk for one in watchers_of(task, now)}


def watch_task(task_id: UUID, *, actor: Actor) -> Future[Outcome] | None:
    """Say that the actor's page of a task is open. None: that was said just now, and nothing is written."""
    task = get_task(actor, task_id, "task.watch")
    seat, now = seat_of(actor, task.workspace_id), timezone.now()
    assert seat is not None
    pk = uuid5(task.pk, str(seat.pk))
    if Watch.objects.filter(pk=pk, seen_at__gt=now - timedelta(seconds=FRESH)).exists():
        return None
    first = {"workspace_id": task.workspace_id, "task_id": task.pk, "member_id": seat.pk}
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            require(actor, "task.watch", task.workspace_id),
            (Put("clawgroups.Watch", pk, {"seen_at": now}, first),),
            verb="task.watch",
        )
    )


def say_names(members: Sequence[Member], most: int = 5) -> str:
    """Names as a list in a sentence."""
    names = [one.name for one in members[:most]]
    if more := len(members) - len(names):
        names.append(f"{more} more")
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
