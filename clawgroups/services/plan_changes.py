"""A plan as rows: read as a value, and what its rows must become to hold another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.ids import new_id
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Delete, Insert, Update, Write
from clawgroups.core.errors import Invalid
from clawgroups.core.plan import PlanTask, places
from clawgroups.core.timers import Bounds, wait_for_parents
from clawgroups.models import Dependency, Member, Memory, Message, Run, Task

Edges = Mapping[tuple[str, str], UUID]
TASK, EDGE = "clawgroups.Task", "clawgroups.Dependency"
WORDS = ("title", "instructions", "kind", "minutes", "output")


@dataclass(frozen=True, slots=True)
class PlanRows:
    """The rows of a run's plan in its order, by key; `edges` from a task to one that it waits for."""

    run: Run
    tasks: Mapping[str, Task]
    edges: Edges
    plan: tuple[PlanTask, ...]

    @property
    def planned(self) -> tuple[PlanTask, ...]:
        """What has not ended: of a proposed run all but what was cancelled already.

        One that has begun while it was read is a whole plan, too: of the tasks that wait still.
        """
        waiting = {key for key, task in self.tasks.items() if task.state == "waiting"}
        left = (one for one in self.plan if one.key in waiting)
        return tuple(
            one.model_copy(update={"depends_on": tuple(parent for parent in one.depends_on if parent in waiting)})
            for one in left
        )


@dataclass(slots=True)
class Moved:
    """What rows become, and which tasks are new or gone."""

    writes: list[Write] = field(default_factory=list)
    added: list[UUID] = field(default_factory=list)
    removed: list[UUID] = field(default_factory=list)


def read_plan(run: Run) -> PlanRows:
    """The whole plan of a run, in two queries: an edge to a task that came between them is left for the next look."""
    tasks = {task.key: task for task in Task.objects.filter(run=run).select_related("proposed").order_by("position")}
    found = Dependency.objects.filter(task__run=run).order_by("parent__position")
    ends = found.values_list("pk", "task__key", "parent__key")
    edges = {(child, parent): pk for pk, child, parent in ends if child in tasks and parent in tasks}
    parents: dict[str, list[str]] = {}
    for child, parent in edges:
        parents.setdefault(child, []).append(parent)
    plan = tuple(value_of(task, parents.get(key, ())) for key, task in tasks.items())
    return PlanRows(run, tasks, edges, plan)


def value_of(task: Task, parents: Sequence[str]) -> PlanTask:
    """A task's row as part of a plan. What stands in rows was checked when it was written."""
    return PlanTask.model_construct(
        key=task.key,
        title=task.title,
        instructions=task.instructions,
        kind=task.kind,
        skills=tuple(task.skills),
        depends_on=tuple(parents),
        acceptance=tuple(task.acceptance),
        assignee=task.proposed.handle if task.proposed is not None else "",
        why=str(task.proposal.get("reason", "")),
        minutes=task.minutes,
        output=task.output,
    )


def seats_by_handle(workspace_id: UUID) -> dict[str, UUID]:
    """Who may be proposed for a task, by handle: everybody present but guests."""
    seats = Member.objects.filter(workspace=workspace_id, left_at=None).exclude(role="guest")
    return dict(seats.values_list("handle", "pk"))


def columns_of(task: PlanTask, before: PlanTask | None, seats: Mapping[str, UUID], actor: Actor) -> dict[str, Any]:
    """The columns of a task's words; with `before` only those that differ. Raises `Invalid` for an unknown handle."""
    values: dict[str, Any] = {
        name: getattr(task, name) for name in WORDS if before is None or getattr(task, name) != getattr(before, name)
    }
    for name in ("skills", "acceptance"):
        if before is None or getattr(task, name) != getattr(before, name):
            values[name] = list(getattr(task, name))
    if before is None or (task.assignee, task.why) != (before.assignee, before.why):
        handle = task.assignee.removeprefix("@")
        if handle and handle not in seats:
            raise Invalid(
                f"There is no member @{handle} here who could do it.", field="assignee", code="no_such_member"
            )
        values["proposed_id"] = seats[handle] if handle else None
        values["proposal"] = {"reason": task.why, "by": actor.name, "kind": actor.kind.value} if handle else {}
    return values


def new_row(run: Run, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A new task that waits, with these columns."""
    waits = wait_for_parents().columns(Bounds(run=run.deadline_at))
    return {
        "workspace_id": run.workspace_id,
        "run_id": run.pk,
        "state": "waiting",
        "created_at": now,
        **waits,
        **values,
    }


def rewritten(rows: PlanRows, after: Sequence[PlanTask], actor: Actor, now: datetime) -> Moved:
    """What the rows of a proposed plan must become: a task that stays keeps its row, one that is gone loses it.

    What was said in the thread of one that is gone stays in the group chat.
    """
    seats = seats_by_handle(rows.run.workspace_id)
    before = {task.key: task for task in rows.planned}
    place = places(after)
    ids = {task.key: rows.tasks[task.key].pk if task.key in before else new_id() for task in after}
    moved = Moved()
    for position, task in enumerate(after):
        parents = set(task.depends_on)
        stands = {
            "position": position,
            "level": place[task.key].level,
            "bottom_level": place[task.key].bottom_level,
            "waiting_on": len(parents),
        }
        values = columns_of(task, before.get(task.key), seats, actor)
        if task.key in before:
            row = rows.tasks[task.key]
            values |= {name: value for name, value in stands.items() if getattr(row, name) != value}
            if values:
                fence = {"state": row.state, "epoch": row.epoch}
                moved.writes.append(Update(TASK, row.pk, values, fence))
        else:
            moved.added.append(ids[task.key])
            moved.writes.append(
                Insert(TASK, ids[task.key], new_row(rows.run, {"key": task.key, **values, **stands}, now))
            )
    # What had been cancelled goes too; a new task may have its key.
    stays = before.keys() & ids.keys()
    moved.removed = [row.pk for key, row in rows.tasks.items() if key not in stays]
    moved.writes += _taken_out(moved.removed)
    moved.writes += relinked({edge: pk for edge, pk in rows.edges.items() if stays.issuperset(edge)}, after, ids)
    return moved


def _taken_out(removed: Sequence[UUID]) -> list[Write]:
    writes: list[Write] = []
    for label, model in (("clawgroups.Message", Message), ("clawgroups.Memory", Memory)):
        said = model._default_manager.filter(task__in=removed).values_list("pk", flat=True)
        writes += [Update(label, pk, {"task_id": None}) for pk in said]
    return [*writes, *(Delete(TASK, pk) for pk in removed)]


def relinked(edges: Edges, after: Sequence[PlanTask], ids: Mapping[str, UUID]) -> list[Write]:
    """The rows of dependencies that go and come. Those of a task that is gone go with it."""
    wanted = {(task.key, parent) for task in after for parent in task.depends_on}
    gone = [
        pk for (child, parent), pk in edges.items() if (child, parent) not in wanted and {child, parent} <= ids.keys()
    ]
    new = sorted(wanted - edges.keys())
    return [
        *(Delete(EDGE, pk) for pk in gone),
        *(Insert(EDGE, new_id(), {"task_id": ids[child], "parent_id": ids[parent]}) for child, parent in new),
    ]
