"""What T04 measures while the run lives, and what must not be left when it is over."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from unittest import mock
from uuid import UUID

from django.db import connection
from django.db.models import F, Q
from django.db.models.sql import compiler

from agents.models import Agent, Connection
from clawgroups.commit import Collected
from clawgroups.coordinator import loop
from clawgroups.coordinator.decide import Step as Decided
from clawgroups.coordinator.decide import decide
from clawgroups.coordinator.evidence import look
from clawgroups.coordinator.situation import Situation, situation_of
from clawgroups.core.fold import empty, fold
from clawgroups.core.invariants import Allowance, breaches
from clawgroups.journal import entry_as_json, snapshot
from clawgroups.models import Approval, Attempt, Command, Entry, Run, Session, Step, Task, Workspace
from clawgroups.reactions import react
from clawgroups.services.sweep import sweep
from tests.chaos.long_life import TOKEN, Life, Report
from tests.machine.history import differences
from tests.stories import checker

HOUR = 3600.0
QUARTER = 3  # hours of the twelve, at the beginning and at the end
A_MONTH = timedelta(days=30)


class Lived(Protocol):
    """What the ledger asks of the world when it is over."""

    life: Life
    workspace: UUID
    run: UUID
    joined: int
    left: int
    sessions_lost: int

    def everybody_leaves(self) -> None:
        """All agents close their sockets."""


@dataclass
class Hour:
    """What an hour took, in real seconds and a processor's, and what the coordinator read in its looks and turns."""

    began: float
    busy: float
    seconds: float = 0
    cpu: float = 0
    looks: int = 0
    steps: int = 0
    read: int = 0
    queries: int = 0
    rows: int = 0
    tokens: int = 0
    turn_queries: int = 0

    def line(self, number: int) -> str:
        each = _each([self])
        return (
            f"hour {number}: {self.seconds:.1f} s, cpu {self.cpu:.1f} s, {self.looks} looks ({self.queries} queries, "
            f"{self.rows} rows, {self.tokens} tokens at most), {self.steps} steps ({each:.1f} queries each)"
        )


def _each(hours: Sequence[Hour]) -> float:
    """The queries of a step that the coordinator takes, on average."""
    return sum(hour.read for hour in hours) / max(sum(hour.steps for hour in hours), 1)


class Ledger:
    """Counts what each look and turn of the coordinator reads."""

    def __init__(self, collected: Collected) -> None:
        self._collected = collected
        self._queries = self._rows = self._of_looks = 0
        self._stack = ExitStack()
        self._began = time.monotonic()
        self.hours = [Hour(self._began, time.process_time())]

    def __enter__(self) -> Ledger:
        fetched = compiler.cursor_iter

        def counted(*given: Any) -> Iterator[list[Any]]:
            for rows in fetched(*given):
                self._rows += len(rows)
                yield rows

        self._stack.enter_context(connection.execute_wrapper(self._query))
        self._stack.enter_context(mock.patch.object(compiler, "cursor_iter", counted))
        self._stack.enter_context(mock.patch.object(loop, "situation_of", self._look))
        self._stack.enter_context(mock.patch.object(loop, "decide", lambda seen: self._steps(decide(seen))))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _query(self, execute: Callable[..., Any], *given: Any) -> Any:
        self._queries += 1
        return execute(*given)

    def _steps(self, steps: list[Decided]) -> list[Decided]:
        self.hours[-1].steps += len(steps)
        return steps

    def _look(self, run: Run, now: datetime) -> Situation:
        """One look of the coordinator; as a prompt it would be its text."""
        hour, queries, rows = self.hours[-1], self._queries, self._rows
        seen = situation_of(run, now)
        hour.looks += 1
        hour.queries = max(hour.queries, self._queries - queries)
        hour.rows = max(hour.rows, self._rows - rows)
        hour.tokens = max(hour.tokens, len(repr(seen)) // TOKEN)
        self._of_looks += self._queries - queries
        return seen

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Count the queries of a turn."""
        hour, queries, looks = self.hours[-1], self._queries, self._of_looks
        yield
        used = self._queries - queries
        hour.turn_queries = max(hour.turn_queries, used)
        hour.read += used - (self._of_looks - looks)

    def passes(self, elapsed: float) -> None:
        """A step is over: forget what the writer announced, and begin a new hour where it is time."""
        self._collected.applied.clear()
        if elapsed >= len(self.hours) * HOUR:
            self._end_hour()
            self.hours.append(Hour(time.monotonic(), time.process_time()))

    def _end_hour(self) -> None:
        hour = self.hours[-1]
        hour.seconds = time.monotonic() - hour.began
        hour.cpu = time.process_time() - hour.busy
        print(hour.line(len(self.hours)), flush=True)

    def _worked(self) -> list[Hour]:
        """The hours in which the coordinator had something to do."""
        return [hour for hour in self.hours if hour.steps]

    # The end

    def report(self, world: Lived, now: datetime) -> Report:
        """What came of it."""
        self._end_hour()
        rows = Entry.objects.filter(workspace=world.workspace).order_by("seq")
        # Times as such: written out, a full second has no fraction and sorts after those that have one.
        entries = [{**entry_as_json(row), "at": row.at} for row in rows]
        tasks = _tasks(world.run)
        types = Counter(entry["type"] for entry in entries)
        faults = checker.faults(entries, tasks) + _standing(world, entries, now)
        done = Counter(e["payload"]["task_id"] for e in entries if e["type"] == "task.done")
        run = Run.objects.get(pk=world.run)
        assert run.ended_at is not None
        assert run.started_at is not None
        return Report(
            database={"sqlite": "SQLite", "postgresql": "PostgreSQL"}[connection.vendor],
            state=run.state,
            hours=round((now - run.started_at).total_seconds() / HOUR, 2),
            took=round((run.ended_at - run.started_at).total_seconds() / HOUR, 2),
            seconds=round(time.monotonic() - self._began, 1),
            cpu=round(sum(hour.cpu for hour in self.hours), 1),
            tasks=len(tasks),
            asked=types["approval.requested"],
            seized=types["task.taken_over"],
            joined=world.joined,
            left=world.left,
            attempts=sum(len(task["attempts"]) for task in tasks),
            entries=len(entries),
            journal=sum(len(json.dumps(entry, default=str)) for entry in entries),
            file=_file_size(),
            queries=max(hour.queries for hour in self.hours),
            rows=max(hour.rows for hour in self.hours),
            tokens=max(hour.tokens for hour in self.hours),
            early=round(_each(self._worked()[:QUARTER]), 1),
            late=round(_each(self._worked()[-QUARTER:]), 1),
            turn_queries=max(hour.turn_queries for hour in self.hours),
            sessions_lost=world.sessions_lost,
            lost=sum(done[task["id"]] == 0 for task in tasks),
            doubled=sum(n - 1 for n in done.values() if n > 1),
            leaks=leaks(world, now),
            faults=faults[:50],
        )


def _tasks(run: UUID) -> list[dict[str, Any]]:
    """The run's tasks with their attempts, as the checker wants them."""
    attempts: dict[UUID, list[dict[str, Any]]] = {}
    rows = Attempt.objects.filter(task__run=run).order_by("task_id", "number")
    for pk, task, number, state, epoch, ended in rows.values_list(
        "pk", "task_id", "number", "state", "epoch", "ended_at"
    ):
        one = {"id": str(pk), "number": number, "state": state, "epoch": epoch, "ended_at": ended}
        attempts.setdefault(task, []).append(one)
    return [
        {"id": str(pk), "key": key, "state": state, "attempts": attempts.get(pk, [])}
        for pk, key, state in Task.objects.filter(run=run).values_list("pk", "key", "state")
    ]


def _standing(world: Lived, entries: list[dict[str, Any]], now: datetime) -> list[str]:
    """What does not hold of the rows: the rules of the watchdog, and that the journal, folded, comes to them."""
    found = [f"{b.kind.name}: {b.title}: {b.sentence}" for b in breaches(look(), now, Allowance())]
    folded, shown = fold(empty(), entries), snapshot(world.workspace).state
    # The goal given at the opening is in no entry.
    folded["workspace"]["goal"] = shown["workspace"]["goal"]
    return found + differences(folded, shown)


def _file_size() -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        return int(cursor.fetchone()[0])


def leaks(world: Lived, now: datetime) -> dict[str, int]:
    """Rows of a run that is over which are still open, held, owed, or have a deadline; and timers that go off later."""
    tasks = Task.objects.filter(run=world.run)
    held = Q(holder__isnull=False) | ~Q(blocked_on="") | ~Q(next_actor="")
    clocks = Q(deadline_at__isnull=False) | Q(resting_since__isnull=False)
    run = Run.objects.filter(pk=world.run)
    open_links = Connection.objects.filter(closed_at=None)
    found = {
        "tasks that are held or wait": tasks.filter(held).count(),
        "tasks with a deadline or a rest": tasks.filter(clocks).count(),
        "attempts open": Attempt.objects.filter(
            Q(ended_at=None) | Q(state__in=["offered", "working", "submitted"]), task__run=world.run
        ).count(),
        # Of one that was retired nobody will ever confirm it; it is told so, and waits for nothing.
        "stops not confirmed": Attempt.objects.filter(
            Q(stop="asked") | Q(stop="unconfirmed", member__agent__retired_at=None), task__run=world.run
        ).count(),
        "sessions open": Session.objects.filter(task__run=world.run).exclude(state="closed").count(),
        "frames owed": Command.objects.filter(attempt__task__run=world.run, state__in=["open", "sent"]).count(),
        "questions open": Approval.objects.filter(task__run=world.run, state="open").count(),
        "steps open": Step.objects.filter(attempt__task__run=world.run, ended_at=None).count(),
        "turns held or wanted": run.filter(~Q(turn_owner="") | Q(turn_until__isnull=False) | Q(wanted__gt=F("turned")))
        .count(),
        "entries without reaction": Workspace.objects.filter(head__gt=F("reacted")).count(),
        "links of retired agents": open_links.filter(agent__retired_at__isnull=False).count(),
        "links beyond one for each agent": open_links.count() - open_links.values("agent").distinct().count(),
    }  # fmt: skip
    world.everybody_leaves()
    react(world.workspace)
    Agent.objects.exclude(breaker="closed").update(breaker="closed", breaker_until=None, health={})
    found["timers that go off within a month"] = sweep(now + A_MONTH, quiet=False)
    return found
