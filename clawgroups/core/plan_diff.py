"""A change of a running plan as a difference: what is added, taken away, written anew or linked otherwise. Pure.

It touches only tasks that nobody works on (waiting, ready, stuck). What is done or in somebody's hands stays as it is;
new tasks may still wait for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clawgroups.core.errors import Invalid
from clawgroups.core.plan import MAX_TASKS, PlanTask, find_cycle
from clawgroups.core.plan_edits import plan_task

OPEN = frozenset({"waiting", "ready", "stuck"})
IN_HAND = frozenset({"assigned", "working", "in_review", "held"})
# A task that ended without a result: nothing can wait for it.
LOST = frozenset({"failed", "cancelled"})
# As it is stored, where nearly everything that is done in the run reads it: with the reasons beside it below 400,000.
MAX_BYTES = 310_000
WORDS = ("title", "instructions", "kind", "skills", "acceptance", "output", "minutes", "assignee")


@dataclass(frozen=True, slots=True)
class Standing:
    """A task of a running plan: what it says, where it stands, and under which epoch."""

    task: PlanTask
    state: str
    epoch: int

    @property
    def is_open(self) -> bool:
        """Whether a change of the plan may touch it."""
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class Changed:
    """A task that goes on with other words, or waits for other tasks."""

    before: PlanTask
    after: PlanTask
    epoch: int

    @property
    def fields(self) -> tuple[str, ...]:
        """Which words are others now."""
        return tuple(name for name in WORDS if getattr(self.before, name) != getattr(self.after, name))

    @property
    def is_relinked(self) -> bool:
        """Whether it waits for other tasks than before."""
        return set(self.before.depends_on) != set(self.after.depends_on)


@dataclass(frozen=True, slots=True)
class Removed:
    """A task that is to be cancelled."""

    task: PlanTask
    epoch: int


@dataclass(frozen=True, slots=True)
class PlanDiff:
    """What a proposal changes of a plan, against the plan as it was when it was made."""

    added: tuple[PlanTask, ...] = ()
    removed: tuple[Removed, ...] = ()
    changed: tuple[Changed, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def rewritten(self) -> tuple[Changed, ...]:
        return tuple(one for one in self.changed if one.fields)

    @property
    def relinked(self) -> tuple[Changed, ...]:
        return tuple(one for one in self.changed if not one.fields)

    def as_json(self) -> dict[str, Any]:
        """The difference as it is stored."""
        return {
            "added": [task.model_dump(mode="json") for task in self.added],
            "removed": [{"task": one.task.model_dump(mode="json"), "epoch": one.epoch} for one in self.removed],
            "changed": [
                {"before": c.before.model_dump(mode="json"), "after": c.after.model_dump(mode="json"), "epoch": c.epoch}
                for c in self.changed
            ],
        }


def read_diff(said: Mapping[str, Any]) -> PlanDiff:
    """A stored difference."""
    return PlanDiff(
        tuple(plan_task(task) for task in said.get("added", ())),
        tuple(Removed(plan_task(one["task"]), one["epoch"]) for one in said.get("removed", ())),
        tuple(
            Changed(plan_task(one["before"]), plan_task(one["after"]), one["epoch"]) for one in said.get("changed", ())
        ),
    )


def filled(now: Sequence[Standing], given: Sequence[Any]) -> list[Any]:
    """Proposed tasks as plain data. What is not said of a task that exists is as it is: its key alone keeps it."""
    known = {one.task.key: one.task for one in now}
    return [{**known[one["key"]].model_dump(), **one} if _names(one) in known else one for one in given]


def diff(now: Sequence[Standing], proposed: Sequence[PlanTask]) -> PlanDiff:
    """How the open tasks differ from the proposed ones. Raises `Invalid` that names what cannot be.

    `proposed` is the whole rest of the plan: an open task that it does not name is taken away. Tasks in hand or done
    may be named if they stay as they are.
    """
    standing = {one.task.key: one for one in now}
    wanted = {task.key: task for task in proposed}
    problems = ["a key is used twice"] if len(wanted) < len(proposed) else []
    problems += _untouchable(standing, wanted)
    kept = {key for key, one in standing.items() if not one.is_open and one.state not in LOST}
    known = wanted.keys() | kept
    for task in wanted.values():
        problems += [_unknown(task, key, standing) for key in task.depends_on if key not in known]
    if problems:
        said = f"The plan cannot be changed like this: {'; '.join(problems[:10])}."
        raise Invalid(said, code="bad_plan", problems=problems)
    found = PlanDiff(
        tuple(task for task in proposed if task.key not in standing),
        tuple(Removed(o.task, o.epoch) for o in now if o.is_open and o.task.key not in wanted),
        tuple(
            Changed(o.task, wanted[o.task.key], o.epoch)
            for o in now
            if o.is_open and o.task.key in wanted and not _same(o.task, wanted[o.task.key])
        ),
    )
    if not found:
        raise Invalid("This changes nothing of the plan.", code="nothing_changes")
    applied(now, found)
    _check_size(found)
    return found


def _check_size(change: PlanDiff) -> None:
    if len(json.dumps(change.as_json())) > MAX_BYTES:
        number = len(change.added) + len(change.removed) + len(change.changed)
        said = f"Together these changes of {number} tasks are too large for one proposal. Change fewer tasks at once."
        raise Invalid(said, field="tasks", code="replan_too_large")


def moved_on(now: Sequence[Standing], change: PlanDiff) -> list[str]:
    """The titles of tasks that the change is about and that are no longer as it found them."""
    standing = {one.task.key: one for one in now}
    seen = [(one.task, one.epoch) for one in change.removed] + [(one.before, one.epoch) for one in change.changed]
    gone = [task.title for task, epoch in seen if not _is_as_seen(standing.get(task.key), task, epoch)]
    for task in (*change.added, *(one.after for one in change.changed)):
        gone += [standing[key].task.title for key in task.depends_on if key in standing and _is_lost(standing[key])]
    gone += [task.title for task in change.added if task.key in standing]
    return list(dict.fromkeys(gone))


def applied(now: Sequence[Standing], change: PlanDiff) -> tuple[PlanTask, ...]:
    """The whole plan after the change: what stays in its order, then what is new. Raises `Invalid`."""
    gone = {one.task.key for one in change.removed}
    after = {one.before.key: one.after for one in change.changed}
    rest = [after.get(one.task.key, one.task) for one in now if one.task.key not in gone]
    plan = (*rest, *change.added)
    if len(now) + len(change.added) > MAX_TASKS:
        raise Invalid(f"A run holds at most {MAX_TASKS} tasks.", code="plan_too_large")
    for task in plan:
        if lost := gone & set(task.depends_on):
            raise Invalid(f"“{task.title}” waits for {min(lost)}, which would be taken away.", code="bad_plan")
    if cycle := find_cycle({task.key: task.depends_on for task in plan}):
        said = f"These tasks would wait for each other in a circle: {' → '.join(cycle)}."
        raise Invalid(said, field="depends_on", code="bad_plan")
    return plan


def _names(one: Any) -> str:
    key = one.get("key") if isinstance(one, Mapping) else None
    return key if isinstance(key, str) else ""


def _same(one: PlanTask, other: PlanTask) -> bool:
    change = Changed(one, other, 0)
    return not change.fields and not change.is_relinked


def _untouchable(standing: Mapping[str, Standing], wanted: Mapping[str, PlanTask]) -> list[str]:
    found = []
    for key, task in wanted.items():
        one = standing.get(key)
        if one is None or one.is_open or (one.state not in LOST and _same(one.task, task)):
            continue
        if one.state in LOST:
            found.append(f"{key!r} was the key of a task that is {one.state}: choose another")
        else:
            shown = "in somebody's hands" if one.state in IN_HAND else "done"
            found.append(f"{key!r} is {shown} and cannot be changed: leave it out")
    return found


def _unknown(task: PlanTask, key: str, standing: Mapping[str, Standing]) -> str:
    one = standing.get(key)
    why = "is not in the plan" if one is None else f"is {one.state}" if one.state in LOST else "would be taken away"
    return f"{task.key!r} depends on {key!r}, which {why}"


def _is_as_seen(one: Standing | None, task: PlanTask, epoch: int) -> bool:
    return one is not None and one.is_open and one.epoch == epoch and _same(one.task, task)


def _is_lost(one: Standing) -> bool:
    return one.state in LOST
