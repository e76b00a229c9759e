"""Edits of a proposed plan: each gives a new checked plan, or says why it cannot be made. Pure.

A task is named by its key, which stays the same as long as the task does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from clawgroups.core.errors import Invalid
from clawgroups.core.plan import MAX_TASKS, PlanTask, check_plan

Plan = tuple[PlanTask, ...]
PARTS = range(2, 9)
MAX_KEY = 60
# What is wrong with a field, in plain words, by pydantic's kind of error.
REASONS = {
    "missing": "say it in a few words",
    "string_too_short": "it is empty; write at least a word",
    "string_too_long": "it is too long; at most {max_length} characters fit",
    "too_long": "there are too many; at most {max_length} fit",
    "int_parsing": "it is no whole number",
    "int_from_float": "it is no whole number",
    "greater_than_equal": "it is less than {ge}",
    "less_than_equal": "it is more than {le}",
    "extra_forbidden": "a task has nothing of this name",
}
# What an edit of a task may say anew.
FIELDS = ("title", "instructions", "kind", "skills", "depends_on", "acceptance", "output", "minutes")


def plan_task(said: Mapping[str, Any]) -> PlanTask:
    """A task from plain data. Raises `Invalid` that names the field."""
    try:
        return PlanTask.model_validate(dict(said))
    except ValidationError as fault:
        first = fault.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "task"
        shape = REASONS.get(first["type"], str(first["msg"]).removeprefix("Value error, "))
        reason = shape.format(**first.get("ctx", {})) if first["type"] in REASONS else shape
        raise Invalid(f"{field.replace('_', ' ').capitalize()}: {reason}.", field=field, code="bad_task") from None


def add(plan: Plan, said: Mapping[str, Any], *, before: Sequence[str] = ()) -> Plan:
    """A new task at the end; without a key it gets one from its title. Tasks named in `before` then wait for it."""
    key = str(said.get("key") or "") or free_key(plan, slug(str(said.get("title", ""))))
    task = plan_task({**said, "key": key})
    waiting = {_find(plan, one).key for one in before}
    linked = [_with(t, {"depends_on": (*t.depends_on, key)}) if t.key in waiting else t for t in plan]
    return _checked((*linked, task))


def remove(plan: Plan, key: str) -> Plan:
    """Without this task: what waited for it waits for what it waited for."""
    gone = _find(plan, key)
    if len(plan) == 1:
        raise Invalid("A plan needs at least one task. Discard the run, or edit this one.", code="empty_plan")
    return _checked(tuple(_relinked(t, {key: gone.depends_on}) for t in plan if t.key != key))


def split(plan: Plan, key: str, parts: Sequence[Mapping[str, Any]]) -> Plan:
    """A task cut into 2-8 parts, which wait for what it waited for; what waited for it waits for all of them.

    Parts are {title, instructions}; the rest is as in the whole. The first part keeps its key. Minutes are shared out.
    """
    whole = _find(plan, key)
    if len(parts) not in PARTS:
        raise Invalid("A task is split into 2 to 8 parts, one title each.", field="parts", code="bad_parts")
    keys = [key]
    while len(keys) < len(parts):
        keys.append(free_key(plan, key, taken=keys))
    share = -(-whole.minutes // len(parts))
    made = [
        _with(whole, {"key": k, "minutes": share, "title": "", "instructions": "", **_only(part)})
        for k, part in zip(keys, parts, strict=True)
    ]
    rest: list[PlanTask] = []
    for task in plan:
        rest += made if task.key == key else [_relinked(task, {key: tuple(keys)})]
    return _checked(tuple(rest))


def merge(plan: Plan, keys: Sequence[str], *, title: str = "") -> Plan:
    """Two or more tasks as one, in the place of the first of them: it waits for all that they waited for.

    Raises `Invalid` where something would then wait for itself: a task between them has to be in it too.
    """
    chosen = {_find(plan, key).key for key in keys}
    if len(chosen) < 2:
        raise Invalid("Choose two tasks or more to merge.", field="keys", code="too_few")
    ones = [task for task in plan if task.key in chosen]
    first = ones[0]
    assignees = {task.assignee for task in ones}
    together = _with(
        first,
        {
            "title": title or " + ".join(task.title for task in ones)[:200],
            "instructions": "\n\n".join(_said(task) for task in ones)[:20_000],
            "skills": _union(task.skills for task in ones),
            "depends_on": [p for p in _union(task.depends_on for task in ones) if p not in chosen],
            "acceptance": _union(task.acceptance for task in ones),
            "minutes": min(sum(task.minutes for task in ones), 10_080) if all(t.minutes for t in ones) else 0,
            "output": next((task.output for task in reversed(ones) if task.output), ""),
            **({} if len(assignees) == 1 else {"assignee": "", "why": ""}),
        },
    )
    moved = dict.fromkeys(chosen, (first.key,))
    rest = [together if t is first else _relinked(t, moved) for t in plan if t is first or t.key not in chosen]
    return _checked(tuple(rest))


def move(plan: Plan, key: str, *, by: int) -> Plan:
    """A task so many places further back (`by` below zero: further to the front) in the order of the plan."""
    task = _find(plan, key)
    at = plan.index(task)
    to = min(max(at + by, 0), len(plan) - 1)
    rest = [one for one in plan if one is not task]
    return (*rest[:to], task, *rest[to:])


def edit(plan: Plan, key: str, changes: Mapping[str, Any]) -> Plan:
    """Other words, skills, acceptance lines, minutes or earlier tasks for a task; what is not said stays."""
    task = _find(plan, key)
    if unknown := changes.keys() - set(FIELDS):
        raise Invalid(f"A task has no {', '.join(sorted(unknown))} to edit.", field=min(unknown), code="unknown_field")
    return _checked(tuple(_with(t, changes) if t is task else t for t in plan))


def propose(plan: Plan, key: str, *, assignee: str, why: str = "") -> Plan:
    """Another member proposed for a task, by handle; "" leaves it to the matching."""
    task = _find(plan, key)
    changed = _with(task, {"assignee": assignee, "why": why if assignee else ""})
    return tuple(changed if t is task else t for t in plan)


def apply(plan: Plan, said: Mapping[str, Any]) -> Plan:
    """An edit as data: {"op": "add" | "remove" | "split" | "merge" | "move" | "edit" | "propose", ...}."""
    op = said.get("op")
    if op not in _OPS:
        raise Invalid(f"An edit is one of {', '.join(_OPS)}; this says {op!r}.", field="op", code="unknown_edit")
    try:
        return _OPS[op](plan, {name: value for name, value in said.items() if name != "op"})
    except (TypeError, KeyError, AttributeError):
        raise Invalid(f"The edit {op!r} does not say what it needs: {SHAPES[op]}.", field=op, code="bad_edit") from None


def reverse(before: Plan, after: Plan) -> dict[str, Any]:
    """What `restore` needs to make `before` of `after` again: the tasks that differ, and the order where it does."""
    now = {task.key: task for task in after}
    order = [task.key for task in before]
    said: dict[str, Any] = {"tasks": [t.model_dump(mode="json") for t in before if now.get(t.key) != t]}
    return said if order == [task.key for task in after] else {**said, "order": order}


def restore(plan: Plan, said: Mapping[str, Any]) -> Plan:
    """The plan before an edit, from the one after it and what `reverse` gave."""
    known = {task.key: task for task in plan}
    known |= {task.key: task for task in (plan_task(one) for one in said["tasks"])}
    return tuple(known[key] for key in said.get("order", [task.key for task in plan]))


def free_key(plan: Sequence[PlanTask], wish: str, *, taken: Sequence[str] = ()) -> str:
    """A key like this one that no task has."""
    used = {task.key for task in plan} | set(taken)
    if wish not in used:
        return wish
    number = 2
    while (key := f"{wish[: MAX_KEY - 6]}-{number}") in used:
        number += 1
    return key


def slug(title: str) -> str:
    """A key from a title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "task"


SHAPES = {
    "add": "task (and before: keys of tasks that wait for it)",
    "remove": "key",
    "split": "key and parts, 2 to 8 of {title, instructions}",
    "merge": "keys, two or more, and perhaps a title",
    "move": "key and by, a number of places",
    "edit": "key and changes",
    "propose": "key and assignee, a handle",
}
_OPS: dict[str, Callable[[Plan, Mapping[str, Any]], Plan]] = {
    "add": lambda plan, said: add(plan, _words(said["task"]), before=_keys(said.get("before", ()))),
    "remove": lambda plan, said: remove(plan, _key(said["key"])),
    "split": lambda plan, said: split(plan, _key(said["key"]), [_words(part) for part in _keys(said["parts"])]),
    "merge": lambda plan, said: merge(plan, _keys(said["keys"]), title=str(said.get("title", ""))),
    "move": lambda plan, said: move(plan, _key(said["key"]), by=_number(said["by"])),
    "edit": lambda plan, said: edit(plan, _key(said["key"]), _words(said["changes"])),
    "propose": lambda plan, said: propose(
        plan, _key(said["key"]), assignee=str(said["assignee"]), why=str(said.get("why", ""))
    ),
}


def _key(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _words(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return value


def _keys(values: Any) -> list[Any]:
    if not isinstance(values, (list, tuple)):
        raise TypeError
    return list(values)


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _find(plan: Plan, key: Any) -> PlanTask:
    for task in plan:
        if task.key == key:
            return task
    raise Invalid(f"There is no task {key!r} in this plan any more.", field="key", code="no_such_task")


def _with(task: PlanTask, changes: Mapping[str, Any]) -> PlanTask:
    return plan_task({**task.model_dump(), **changes})


def _only(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"title": part.get("title", ""), "instructions": part.get("instructions", "")}


def _relinked(task: PlanTask, instead: Mapping[str, Sequence[str]]) -> PlanTask:
    """The task with other tasks in the place of those that it waited for, each once."""
    if not any(parent in instead for parent in task.depends_on):
        return task
    parents = [new for parent in task.depends_on for new in instead.get(parent, (parent,))]
    return _with(task, {"depends_on": tuple(dict.fromkeys(parents))})


def _union(groups: Any) -> list[str]:
    return list(dict.fromkeys(one for group in groups for one in group))


def _said(task: PlanTask) -> str:
    return f"{task.title}:\n{task.instructions}" if task.instructions else task.title


def _checked(plan: Plan) -> Plan:
    if len(plan) > MAX_TASKS:
        raise Invalid(f"A plan holds at most {MAX_TASKS} tasks.", code="plan_too_large")
    if problems := check_plan(plan):
        raise Invalid(f"That cannot be carried out: {'; '.join(problems[:5])}.", field="depends_on", code="bad_plan")
    return plan
