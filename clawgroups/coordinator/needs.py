"""What is known of single tasks beyond their own rows: who did what they build on, whose session is open, choices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from clawgroups.coordinator.authors import Authors, Members, by_task
from clawgroups.core import learning
from clawgroups.core.learning import Chosen
from clawgroups.core.match_parts import Learned
from clawgroups.core.plan import PROSE
from clawgroups.models import Attempt, Override, Run, Session, Task
from clawgroups.planned import Planned
from clawgroups.queries import seats_by_rules

OPEN = ("ready", "stuck", "in_review")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """By task: who did what it depends on, and whose session of it is open. By kind of work: what choices teach."""

    authors: Mapping[UUID, Members] = field(default_factory=dict)
    warm: Mapping[UUID, Members] = field(default_factory=dict)
    choices: tuple[Chosen, ...] = ()
    # Agents that work by rules, where something has to be written freely.
    by_rules: Members = frozenset()
    _learned: dict[tuple[str, ...], dict[UUID, Learned]] = field(default_factory=dict)

    def learned(self, skills: Sequence[str]) -> dict[UUID, Learned]:
        """What people's choices say for tasks of these skills."""
        key = tuple(skills)
        if self.choices and key not in self._learned:
            self._learned[key] = learning.learned(self.choices, key)
        return self._learned.get(key, {})


def open_tasks(run_id: UUID) -> QuerySet[Task]:
    """The tasks of a run that may need the coordinator."""
    return Task.objects.filter(run_id=run_id, state__in=OPEN)


def _before(mine: Sequence[UUID]) -> QuerySet[Attempt, tuple[UUID, UUID]]:
    done = Attempt.objects.filter(task__dependants__task__in=mine, state="accepted")
    return done.order_by().values_list("task__dependants__task", "member_id")


def _opened(mine: QuerySet[Task]) -> QuerySet[Session, tuple[UUID, UUID]]:
    return Session.objects.filter(task__in=mine, state="open").values_list("task_id", "attempt__member_id")


_before_each: Planned[tuple[UUID, UUID]] = Planned(_before)
_opened_in_run = Planned(lambda run_id: _opened(open_tasks(run_id)))
_authors = Authors(_before_each)


def surroundings_of_run(run: Run, tasks: Mapping[UUID, int], kinds: Collection[str], now: datetime) -> Surroundings:
    """Those of a run's open tasks, given with their epochs, of these `kinds`: as many queries however many."""
    authors = _authors.of((run.pk, run.workspace.generation, run.plan_version), tasks)
    return _surroundings(authors, _opened_in_run(run.pk), run.workspace_id, now, kinds)


def surroundings_of_task(task: Task, now: datetime) -> Surroundings:
    """Those of one task, in whatever state."""
    authors = by_task(_before([task.pk]))
    return _surroundings(authors, _opened(Task.objects.filter(pk=task.pk)), task.workspace_id, now, {task.kind})


def _surroundings(
    authors: Mapping[UUID, Members],
    opened: Iterable[tuple[UUID, UUID]],
    workspace_id: UUID,
    now: datetime,
    kinds: Collection[str],
) -> Surroundings:
    # Who writes by rules counts only where something has to be written freely.
    by_rules = seats_by_rules(workspace_id).values_list("pk", flat=True) if PROSE in kinds else ()
    return Surroundings(authors, by_task(opened), choices_of(workspace_id, now), frozenset(by_rules))


def choices_of(workspace_id: UUID, now: datetime) -> tuple[Chosen, ...]:
    """The newest choices of people between two members who are still here."""
    since = now - timedelta(days=learning.DAYS)
    return tuple(
        Chosen(frozenset(map(str, skills)), str(by or "Somebody"), chosen, chosen_name, passed, passed_name)
        for skills, by, chosen, chosen_name, passed, passed_name in _choices(workspace_id, since)
        if passed is not None and passed_name is not None
    )


_choices: Planned[Any] = Planned(
    lambda workspace_id, since: (
        Override.objects.filter(workspace_id=workspace_id, at__gte=since, proposed__left_at=None, chosen__left_at=None)
        .exclude(proposed=None)
        .values_list("skills", "actor__name", "chosen_id", "chosen__name", "proposed_id", "proposed__name")[
            : learning.MOST
        ]
    )
)
