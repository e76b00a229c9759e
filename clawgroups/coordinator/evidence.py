"""Reads everything that is open as values, in one snapshot and a handful of queries, for the watchdog's proof."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count as RowCount
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce

from clawgroups.core.invariants import ActiveRun, OpenApproval, OpenAttempt, OpenTask, Owed, World
from clawgroups.core.lifecycle import ATTEMPT_OPEN, RUN_TERMINAL, TASK_OPEN
from clawgroups.models import Approval, Attempt, Command, Dependency, ModelCall, Run, Task
from clawgroups.services.routing import MAY_ANSWER

OPEN = [state.value for state in TASK_OPEN]
SHOWN = 120  # characters of a run's goal


def look() -> World:
    """What is open now. Six queries, whatever there is."""
    with _snapshot():
        return World(tuple(_tasks()), tuple(_attempts()), tuple(_approvals()), tuple(_runs()), tuple(_owed()))


@contextmanager
def _snapshot() -> Iterator[None]:
    """Reads in here see no later commit, and hold nobody off."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        # Not `atomic`, which takes SQLite's write lock.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("COMMIT")


def _tasks() -> Iterator[OpenTask]:
    undone = Dependency.objects.filter(task__state__in=OPEN).exclude(parent__state="done")
    parents = dict(undone.order_by().values_list("task_id").annotate(RowCount("pk")))
    rows = Task.objects.filter(state__in=OPEN).order_by("run_id", "position")
    columns = (
        "pk", "run_id", "title", "run__state", "run__paused", "state", "epoch", "waiting_on", "blocked_on",
        "next_actor", "deadline_at", "deadline_effect", "attempt_id", "assignee_id", "holder_id",
        "assignee__left_at", "holder__left_at", "assignee__agent__retired_at", "paused",
    )  # fmt: skip
    for row in rows.values_list(*columns):
        pk, run, title, run_state, paused, state, epoch, waiting_on, blocked_on, who, deadline, effect = row[:12]
        attempt, assignee, holder, assignee_left, holder_left, retired, paused_by = row[12:]
        yield OpenTask(
            id=pk,
            run_id=run,
            title=title,
            run_state=run_state,
            paused=paused,
            state=state,
            epoch=epoch,
            waiting_on=waiting_on,
            parents_open=parents.get(pk, 0),
            blocked_on=blocked_on,
            next_actor=who,
            deadline=deadline,
            effect=effect,
            attempt_id=attempt,
            has_assignee=assignee is not None and (state != "held" or holder is not None),
            member_left=any(at is not None for at in (assignee_left, holder_left, retired)),
            paused_by=paused_by,
        )


def _attempts() -> Iterator[OpenAttempt]:
    rows: Any = Attempt.objects.filter(state__in=[s.value for s in ATTEMPT_OPEN]).order_by("task_id", "number")
    columns = (
        "pk", "task_id", "task__run_id", "task__title", "state", "epoch", "contact", "member__agent_id",
        "task__state", "task__epoch", "task__attempt_id", "ends_at",
    )  # fmt: skip
    ends_at = Coalesce("start_by", "close_by", "back_by")
    for row in rows.annotate(ends_at=ends_at).values_list(*columns):
        pk, task, run, title, state, epoch, contact, agent, task_state, task_epoch, current, deadline = row
        yield OpenAttempt(
            id=pk,
            task_id=task,
            run_id=run,
            title=title,
            state=state,
            epoch=epoch,
            contact=contact,
            of_agent=agent is not None,
            task_state=task_state,
            task_epoch=task_epoch,
            is_current=current == pk,
            deadline=deadline,
        )


def _approvals() -> Iterator[OpenApproval]:
    rows: Any = Approval.objects.filter(state="open").order_by("asked_at")
    columns = (
        "pk", "task_id", "task__run_id", "task__title", "expires_at", "attempt__state", "epoch", "task__epoch",
        "escalates_at", "asked_of_id", "asked_of__left_at", "asked_of__role", "asked_of__user__is_active",
    )  # fmt: skip
    for row in rows.values_list(*columns):
        asked_of, left_at, role, is_active = row[9:]
        able = left_at is None and role in MAY_ANSWER and is_active
        yield replace(OpenApproval(*row[:9]), asked_of_unable=asked_of is not None and not able)


def _runs() -> Iterator[ActiveRun]:
    behind = Q(workspace__head__gt=F("workspace__reacted"))
    rows: Any = Run.objects.exclude(state__in=[s.value for s in RUN_TERMINAL]).order_by("created_at")
    columns = (
        "pk", "goal", "state", "paused", "start_when_planned", "created_by__is_active", "open_tasks", "wanted",
        "turned", "turn_until", "is_behind", "question", "consults",
    )  # fmt: skip
    # Each of them has an end at which the run is woken.
    asked = Exists(ModelCall.objects.filter(run=OuterRef("pk"), state__in=["waiting", "calling"]))
    for row in rows.annotate(is_behind=behind, consults=asked).values_list(*columns):
        pk, goal, *rest, question, consults = row
        yield replace(ActiveRun(pk, goal[:SHOWN], *rest), asks=bool(question), consults=consults)


def _owed() -> Iterator[Owed]:
    over = Q(attempt=None) | Q(attempt__ended_at__isnull=False)
    gone: Any = Command.objects.filter(over, state__in=["open", "sent"], agent__retired_at__isnull=False)
    rows: list[tuple[UUID, str, int]] = list(
        gone.order_by("agent_id").values_list("agent_id", "agent__name").annotate(RowCount("pk"))
    )
    for pk, name, frames in rows:
        yield Owed(pk, name, frames)
