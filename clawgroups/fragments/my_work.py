"""What is in a person's hands, in all their workspaces: asked of them, held, given away and on its way, come back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet

from clawgroups.core.lifecycle import TASK_TERMINAL
from clawgroups.fragments.handovers import Handed, Question, handed_of, question_of, team_of
from clawgroups.models import Attempt, ControlRequest, Member, Task
from clawgroups.queries import asked_now

MOST = 100


@dataclass(frozen=True, slots=True)
class Given:
    """A task that somebody gave away, and where that stands."""

    task: Task
    handed: Handed


@dataclass(frozen=True, slots=True)
class Held:
    """A task in a person's hands: who asks for it, and to whom it is offered."""

    task: Task
    requests: tuple[ControlRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """All of it."""

    offered: tuple[ControlRequest, ...] = ()
    asked: tuple[Question, ...] = ()
    returned: tuple[Question, ...] = ()
    unread: tuple[Given, ...] = ()
    held: tuple[Held, ...] = ()
    given: tuple[Given, ...] = ()

    @property
    def count(self) -> int:
        """What waits for this person; what others do with what they were given does not."""
        return len(self.offered) + len(self.asked) + len(self.returned) + len(self.unread) + len(self.held)

    @property
    def is_empty(self) -> bool:
        return not self.count and not self.given


def work_of(user_id: int | None, now: datetime) -> Work:
    """A person's work, in a handful of queries."""
    seats = {
        seat.pk: seat
        for seat in Member.objects.filter(user=user_id, left_at=None, role__in=("owner", "admin", "member"))
    }
    if not seats:
        return Work()
    held = tuple(_open(seats.values()).filter(state="held", holder__in=seats).order_by("attempt__progress_at")[:MOST])
    mine = [(task, seats[pk]) for task in _asked(seats, now) if (pk := asked_now(task, now)) in seats]
    teams = team_of(list({task.workspace_id for task, _ in mine}))
    asked = [question_of(t, s, len(held) + len(mine) - 1, teams.get(t.workspace_id, [])) for t, s in mine]
    offers = _requests(seats.values())
    given = _given(seats, {task.pk for task, _ in mine}, now)
    return Work(
        tuple(one for one in offers if one.state == "offered" and one.member_id in seats),
        tuple(one for one in asked if not one.returned),
        tuple(one for one in asked if one.returned),
        tuple(one for one in given if one.handed.state == "back" and one.task.state == "stuck"),
        tuple(Held(task, tuple(one for one in offers if one.task_id == task.pk)) for task in held),
        tuple(one for one in given if one.handed.waits),
    )


def count_of(user_id: int | None, now: datetime) -> int:
    """`Work.count`, for a badge."""
    return work_of(user_id, now).count


def _open(seats: Iterable[Member]) -> QuerySet[Task]:
    rows = Task.objects.filter(workspace__in={seat.workspace_id for seat in seats}, run__state="running")
    return rows.select_related("workspace", "run", "attempt", "holder", "assignee")


def _requests(seats: Iterable[Member]) -> list[ControlRequest]:
    """What they are offered by the holders of tasks; of what they hold themselves, who asks for it or is offered it."""
    rows = ControlRequest.objects.filter(state__in=("open", "offered"), task__state="held", task__holder=F("holder"))
    theirs = Q(member__in=seats, state="offered") | Q(holder__in=seats)
    return list(rows.filter(theirs).select_related("member", "holder", "task__workspace", "task__run")[:MOST])


def _asked(seats: dict[UUID, Member], now: datetime) -> QuerySet[Task]:
    found = _open(seats.values()).filter(state="ready", blocked_on="person", not_before__gt=now)
    return found.order_by("deadline_at")[:MOST]


def _given(seats: dict[UUID, Member], mine: set[UUID], now: datetime) -> list[Given]:
    """What they handed on last, unless it is theirs again."""
    rows = _open(seats.values()).filter(brief__handback__from_id__in=[str(pk) for pk in seats])
    over = Q(state__in=(*TASK_TERMINAL, "held", "in_review")) | Q(pk__in=mine)
    tasks = list(rows.exclude(over).order_by("deadline_at")[:MOST])
    attempts: dict[UUID, list[Attempt]] = {}
    tried = Attempt.objects.filter(task__in=tasks).select_related("member").order_by("number")
    for attempt in tried:
        attempts.setdefault(attempt.task_id, []).append(attempt)
    found = [(task, handed_of(task, attempts.get(task.pk, []), now)) for task in tasks]
    return [Given(task, handed) for task, handed in found if handed is not None]
