"""Writing a task anew after its last try: rephrased under fresh tries, or cut into parts that it then puts together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Count, Expect, Fact, Insert, Outcome, Update, Write
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.events import Event
from clawgroups.core.lifecycle import TaskState, TaskVerb, move_task
from clawgroups.core.plan import MAX_TASKS, PlanTask, children_of, parse_plan
from clawgroups.core.retries import MAX_REGENERATED, MAX_TRIES
from clawgroups.core.task_events import TaskReady, TaskRegenerated, TaskSplit
from clawgroups.core.timers import Bounds, wait_for_coordinator, wait_for_parents
from clawgroups.models import Dependency, Task
from clawgroups.permissions import get_task, require
from clawgroups.services.attempts import OF_BEFORE, Decision, check_unpaused, fence
from clawgroups.services.deadlines import timers_of, wait_of_ready, waits, waits_when_ready
from clawgroups.services.workspaces import clean_text

MAX_INSTRUCTIONS = 20_000
MAX_PARTS = 8
MAX_KEY = 60


def regenerate_task(
    task_id: UUID,
    *,
    instructions: str,
    parts: Sequence[Mapping[str, Any]] = (),
    epoch: int | None = None,
    actor: Actor,
    operation: str = "",
) -> Future[Outcome]:
    """Give a ready or stuck task new instructions and fresh tries under a new epoch; with `parts`, split it.

    `parts` are 2-8 of {title, instructions}: each becomes a task with the same skills and inputs; the task waits
    for them, and its own instructions then say how to put them together. `epoch` is the one that was looked at.
    Raises `Invalid`, `IllegalMove`, and `Conflict` where the run is not under way or the task has moved on.
    """
    task = get_task(actor, task_id, "task.regenerate")
    expects = require(actor, "task.regenerate", task.workspace_id)
    if task.run.state != "running":
        raise Conflict(f"The run is {task.run.state}; nothing is written anew now.", code="run_not_running")
    _check_unmoved(task, epoch, actor)
    text = clean_text(instructions, what="Instructions", limit=MAX_INSTRUCTIONS, required=True)
    now = timezone.now()
    values = {
        "epoch": task.epoch + 1,
        "instructions": text,
        "tries": 0,
        "regenerated": task.regenerated + 1,
        "assignee_id": None,
        "holder_id": None,
        "attempt_id": None,
        "not_before": None,
        "reason": "",
        "failure": "",
        "brief": {k: v for k, v in task.brief.items() if k not in OF_BEFORE},
    }
    unmoved = {"state": "running", "plan_version": task.run.plan_version}
    decision = _split(task, _parsed(task, parts), values, now) if parts else _rephrased(task, values, actor, now)
    return commit.submit(
        Change(
            actor,
            task.workspace_id,
            (
                *expects,
                Expect("clawgroups.Run", task.run_id, unmoved),
            ),
            tuple(decision.writes),
            tuple(decision.facts),
            operation,
            verb="task.regenerate",
            answer={"id": str(task.pk), "epoch": task.epoch + 1, "parts": len(parts)},
        )
    )


def _check_unmoved(task: Task, epoch: int | None, actor: Actor) -> None:
    if epoch is not None and epoch != task.epoch:
        raise Conflict(f"This task has moved on: it is at epoch {task.epoch} now.", code="task_moved")
    # A person may have chosen somebody for it, which gives it another try under the same epoch.
    if actor.kind is ActorKind.COORDINATOR:
        if task.tries < MAX_TRIES:
            raise Conflict("This task has tries left; it is not written anew yet.", code="tries_left")
        check_unpaused(task)


def _unmoved(task: Task) -> dict[str, Any]:
    return {**fence(task), "tries": task.tries}


def _rephrased(task: Task, values: dict[str, Any], actor: Actor, now: datetime) -> Decision:
    if actor.kind is ActorKind.COORDINATOR:
        waiting = waits(task, wait_for_coordinator(now, timers_of(task.workspace)), now)
    else:
        # A person's word gives it all the time again.
        waiting = waits_when_ready(task.run, now)
    if task.paused:
        waiting = {**waiting, **waits(task, wait_of_ready(task, now), now), "close_by": waiting["close_by"]}
    values = {**values, "state": move_task(task.state, TaskVerb.REGENERATE).value, **waiting}
    fact = TaskRegenerated(task_id=task.pk, run_id=task.run_id, epoch=task.epoch + 1)
    return Decision([Update("clawgroups.Task", task.pk, values, _unmoved(task))], [Fact(task.workspace_id, fact)])


def _split(task: Task, parts: Sequence[PlanTask], values: dict[str, Any], now: datetime) -> Decision:
    """The parts begin at once, from what the whole began from; the last one that is done makes the whole ready."""
    check_unpaused(task)
    decision = Decision()
    parents = list(Dependency.objects.filter(task=task).values_list("parent_id", flat=True))
    position = Task.objects.filter(run_id=task.run_id).aggregate(last=Max("position"))["last"] or 0
    ids = [new_id() for _ in parts]
    for number, (pk, part) in enumerate(zip(ids, parts, strict=True), 1):
        decision.writes.append(Insert("clawgroups.Task", pk, _part_row(task, part, position + number, now)))
        decision.writes += [_dependency(pk, parent) for parent in parents]
        decision.writes.append(_dependency(task.pk, pk))
    whole = {
        **values,
        "state": move_task(task.state, TaskVerb.SPLIT).value,
        "waiting_on": len(parts),
        "level": task.level + 1,
        "close_by": None,
        "resting_since": None,
        **wait_for_parents().columns(Bounds(run=task.run.deadline_at)),
    }
    decision.writes.append(Update("clawgroups.Task", task.pk, whole, _unmoved(task)))
    decision.writes += _levels_after(task)
    decision.writes.append(Count("clawgroups.Run", task.run_id, "open_tasks", len(parts)))
    if (longer := task.level + 1 + task.bottom_level) > task.run.path_length:
        decision.writes.append(Update("clawgroups.Run", task.run_id, {"path_length": longer}))
    split = TaskSplit(task_id=task.pk, run_id=task.run_id, epoch=task.epoch + 1, parts=tuple(ids))
    events: list[Event] = [split, *(TaskReady(task_id=pk, run_id=task.run_id) for pk in ids)]
    decision.facts = [Fact(task.workspace_id, event) for event in events]
    return decision


def _part_row(task: Task, part: PlanTask, position: int, now: datetime) -> dict[str, Any]:
    return {
        "workspace_id": task.workspace_id,
        "run_id": task.run_id,
        "key": part.key,
        "position": position,
        "level": task.level,
        "bottom_level": task.bottom_level + 1,
        "title": part.title,
        "instructions": part.instructions,
        "kind": part.kind,
        "skills": list(part.skills),
        "acceptance": list(part.acceptance),
        "state": TaskState.READY.value,
        # A part that fails is not cut again: a person is asked.
        "regenerated": MAX_REGENERATED,
        "brief": {"refused": task.brief.get("refused", [])},
        "created_at": now,
        **waits_when_ready(task.run, now),
    }


def _dependency(task_id: UUID, parent_id: UUID) -> Insert:
    return Insert("clawgroups.Dependency", new_id(), {"task_id": task_id, "parent_id": parent_id})


def _parsed(task: Task, parts: Sequence[Mapping[str, Any]]) -> tuple[PlanTask, ...]:
    """The parts as checked tasks under keys that are free in the run."""
    if not 2 <= len(parts) <= MAX_PARTS:
        raise Invalid(f"A task is split into 2 to {MAX_PARTS} parts, not {len(parts)}.", field="parts")
    keys = set(Task.objects.filter(run_id=task.run_id).values_list("key", flat=True))
    if len(keys) + len(parts) > MAX_TASKS:
        raise Invalid(f"A run holds at most {MAX_TASKS} tasks.", field="parts")
    free = (key for n in range(1, len(keys) + MAX_PARTS + 2) if (key := _key(task, n)) not in keys)
    return parse_plan(
        [
            {
                "key": key,
                "title": part.get("title", ""),
                "instructions": part.get("instructions", ""),
                "kind": task.kind,
                "skills": list(task.skills),
            }
            for key, part in zip(free, parts, strict=False)
        ]
    )


def _key(task: Task, number: int) -> str:
    return f"{task.key[: MAX_KEY - 6]}-{number}"


def _levels_after(task: Task) -> list[Write]:
    """The dependants' levels, now that the task stands one further from the beginning."""
    children = children_of(Dependency.objects.filter(task__run_id=task.run_id).values_list("task_id", "parent_id"))
    level = dict(Task.objects.filter(run_id=task.run_id).values_list("pk", "level"))
    moved = {task.pk: task.level + 1}
    queue = [task.pk]
    for pk in queue:
        for child in children.get(pk, ()):
            least = moved[pk] + 1
            if moved.get(child, level[child]) < least:
                moved[child] = least
                queue.append(child)
    del moved[task.pk]
    return [Update("clawgroups.Task", pk, {"level": new}) for pk, new in moved.items()]
