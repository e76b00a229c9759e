"""What the rows of a running plan become when a change of it is carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.ids import new_id
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Expect, Insert, Update, Write, one_of
from clawgroups.core.events import Event
from clawgroups.core.lifecycle import TASK_TERMINAL, TaskState, TaskVerb, move_task
from clawgroups.core.plan import PlanTask, places
from clawgroups.core.plan_diff import LOST, PlanDiff
from clawgroups.core.task_events import TaskCancelled, TaskReady
from clawgroups.core.timers import Bounds, wait_for_parents, wait_for_resume
from clawgroups.models import Session, Task
from clawgroups.services.attempts import OF_BEFORE, end_sessions, fence
from clawgroups.services.deadlines import CLOSED, name_of, waits_when_ready
from clawgroups.services.plan_changes import TASK, PlanRows, columns_of, new_row, relinked, seats_by_handle

NOT_DONE = one_of(*(state.value for state in TaskState if state not in TASK_TERMINAL))


@dataclass(slots=True)
class Carried:
    """Writes and events of a change that is carried out, and what must still be so when it is."""

    path_length: int
    expects: list[Expect] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    wakes: list[str] = field(default_factory=list)
    added: list[UUID] = field(default_factory=list)
    # Those that begin afresh under a new epoch.
    again: list[UUID] = field(default_factory=list)


class _Carrying:
    """One change of one plan, while its rows are worked out."""

    def __init__(self, rows: PlanRows, change: PlanDiff, plan: Sequence[PlanTask], actor: Actor, now: datetime) -> None:
        self.rows, self.actor, self.now = rows, actor, now
        lost = {key for key, task in rows.tasks.items() if task.state in LOST}
        alive = [task for task in plan if task.key not in lost]
        # What waits for a task that is lost waits for ever; it has its place all the same.
        standing = [t.model_copy(update={"depends_on": tuple(p for p in t.depends_on if p not in lost)}) for t in alive]
        self.place = places(standing)
        self.ids = {key: task.pk for key, task in rows.tasks.items()}
        self.ids |= {task.key: new_id() for task in change.added}
        self.seats = seats_by_handle(rows.run.workspace_id)
        self.last = max((task.position for task in rows.tasks.values()), default=-1)
        self.done = Carried(max((p.level + p.bottom_level for p in self.place.values()), default=0))

    def open_parents(self, task: PlanTask) -> int:
        """How many tasks it waits for; each of them must still not be done when this is committed."""
        number = 0
        for key in dict.fromkeys(task.depends_on):
            row = self.rows.tasks.get(key)
            if row is None or row.state != "done":
                number += 1
                if row is not None:
                    self.done.expects.append(Expect(TASK, row.pk, {"state": NOT_DONE}))
        return number

    def stands(self, task: PlanTask) -> dict[str, int]:
        place = self.place[task.key]
        return {"level": place.level, "bottom_level": place.bottom_level}

    def when_ready(self) -> dict[str, Any]:
        """The columns of a task that may begin; in a paused run it waits for whoever resumes it."""
        run = self.rows.run
        ready = {"state": TaskState.READY.value, **waits_when_ready(run, self.now)}
        if run.paused:
            rest = wait_for_resume(name_of(run)).columns(Bounds(ready["close_by"], run.deadline_at))
            ready |= {**rest, "resting_since": self.now}
        return ready

    def add(self, task: PlanTask, number: int) -> None:
        """A new task, ready where everything that it waits for is done."""
        pk, waiting_on = self.ids[task.key], self.open_parents(task)
        values = {
            "key": task.key,
            "position": self.last + number,
            "waiting_on": waiting_on,
            **columns_of(task, None, self.seats, self.actor),
            **self.stands(task),
            **({} if waiting_on else self.when_ready()),
        }
        self.done.writes.append(Insert(TASK, pk, new_row(self.rows.run, values, self.now)))
        self.done.added.append(pk)
        if not waiting_on:
            self.done.events.append(TaskReady(task_id=pk, run_id=self.rows.run.pk))

    def cancel(self, key: str) -> None:
        """A task that is taken away."""
        task = self.rows.tasks[key]
        values = {
            "state": move_task(task.state, TaskVerb.CANCEL).value,
            "epoch": task.epoch + 1,
            "ended_at": self.now,
            **CLOSED,
        }
        self.done.writes.append(Update(TASK, task.pk, values, fence(task)))
        self.done.events.append(TaskCancelled(task_id=task.pk))

    def change(self, before: PlanTask, after: PlanTask) -> None:
        """A task that goes on with other words or after other tasks; one that had been ready begins afresh."""
        task, waiting_on = self.rows.tasks[after.key], self.open_parents(after)
        values = {
            **columns_of(after, before, self.seats, self.actor),
            **self.stands(after),
            "waiting_on": waiting_on,
            "reason": "",
        }
        if task.state != TaskState.WAITING:
            values |= self._afresh(task, waiting_on)
        elif not waiting_on:
            values |= self.when_ready()
        if not waiting_on:
            self.done.events.append(TaskReady(task_id=task.pk, run_id=self.rows.run.pk))
        self.done.writes.append(Update(TASK, task.pk, values, {**fence(task), "waiting_on": task.waiting_on}))

    def _afresh(self, task: Task, waiting_on: int) -> dict[str, Any]:
        """Under a new epoch, so that nobody is given what it said before; with all its tries."""
        self.done.again.append(task.pk)
        values: dict[str, Any] = {
            "epoch": task.epoch + 1,
            "tries": 0,
            "not_before": None,
            "failure": "",
            "brief": {k: v for k, v in task.brief.items() if k not in OF_BEFORE},
        }
        if not waiting_on:
            return {**values, **self.when_ready()}
        waits = wait_for_parents().columns(Bounds(run=self.rows.run.deadline_at))
        state = move_task(task.state, TaskVerb.SPLIT).value  # it has more to wait for now
        return {**values, "state": state, "close_by": None, "resting_since": None, **waits}

    def place_others(self, touched: Mapping[str, Any]) -> None:
        """Where the tasks stand that the change does not name."""
        for key, task in self.rows.tasks.items():
            if key in touched or key not in self.place or task.state in TASK_TERMINAL:
                continue
            place = self.place[key]
            if (task.level, task.bottom_level) != (place.level, place.bottom_level):
                values = {"level": place.level, "bottom_level": place.bottom_level}
                self.done.writes.append(Update(TASK, task.pk, values))


def carried_out(rows: PlanRows, change: PlanDiff, plan: Sequence[PlanTask], actor: Actor, now: datetime) -> Carried:
    """The change as writes and events. `plan` is the whole plan after it, and acyclic."""
    work = _Carrying(rows, change, plan, actor, now)
    for removed in change.removed:
        work.cancel(removed.task.key)
    for one in change.changed:
        work.change(one.before, one.after)
    for number, task in enumerate(change.added, 1):
        work.add(task, number)
    gone = {one.task.key for one in change.removed}
    work.place_others(dict.fromkeys([*gone, *(one.after.key for one in change.changed)]))
    # What was taken away keeps what it waited for: it is history.
    kept = {edge: pk for edge, pk in rows.edges.items() if edge[0] not in gone}
    work.done.writes += relinked(kept, plan, work.ids)
    ended = end_sessions(Session.objects.filter(task__in=[rows.tasks[key].pk for key in gone]), now)
    work.done.writes += ended.writes
    work.done.wakes += ended.wakes
    return work.done
