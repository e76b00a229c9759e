"""A run's plan as a value, and what must hold of it before anybody sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from clawgroups.core.acceptance import parse_line
from clawgroups.core.errors import Invalid

MAX_TASKS = 4000
# The kind of a task that somebody has to write freely; who works by rules is never given one.
PROSE = "prose"
_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}", re.IGNORECASE)
_SKILL = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


class PlanTask(BaseModel):
    """One task of a plan. `depends_on` holds keys of other tasks of the same plan."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    key: str = Field(max_length=60)
    title: str = Field(min_length=1, max_length=200)
    instructions: str = Field(default="", max_length=20_000)
    kind: str = Field(default="", max_length=40)
    skills: tuple[str, ...] = Field(default=(), max_length=20)
    depends_on: tuple[str, ...] = Field(default=(), max_length=500)
    acceptance: tuple[str, ...] = Field(default=("not_empty",), max_length=50)
    # The handle of the member that is proposed for it, and why; minutes of work that are expected; what comes out.
    assignee: str = Field(default="", max_length=150)
    why: str = Field(default="", max_length=500)
    minutes: int = Field(default=0, ge=0, le=10_080)
    output: str = Field(default="", max_length=40)

    @field_validator("key")
    @classmethod
    def _key(cls, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise ValueError("a key is up to 60 letters, digits, dots, dashes and underscores")
        return key

    @field_validator("skills")
    @classmethod
    def _skills(cls, skills: tuple[str, ...]) -> tuple[str, ...]:
        slugs = tuple(re.sub(r"[^a-z0-9]+", "-", s.lower()).strip("-") for s in skills)
        if any(not _SKILL.fullmatch(s) for s in slugs):
            raise ValueError("a skill is a short word like data-analysis")
        return slugs

    @field_validator("acceptance")
    @classmethod
    def _acceptance(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            parse_line(line)
        return lines or ("not_empty",)


def handle_of(said: str) -> str:
    """A member's handle as it is stored, from how it may be written: with the @, in any case."""
    return said.strip().removeprefix("@").casefold()


def parse_plan(tasks: Sequence[Any], *, max_tasks: int = MAX_TASKS) -> tuple[PlanTask, ...]:
    """A checked plan from plain data. Raises `Invalid` naming each task and what is wrong with it."""
    if not isinstance(tasks, (list, tuple)) or not tasks:
        raise Invalid("A plan needs at least one task.", code="empty_plan")
    if len(tasks) > max_tasks:
        raise Invalid(f"A plan holds at most {max_tasks} tasks; this one has {len(tasks)}.", code="plan_too_large")
    parsed: list[PlanTask] = []
    problems: list[str] = []
    for number, task in enumerate(tasks, 1):
        try:
            parsed.append(PlanTask.model_validate(task))
        except ValidationError as fault:
            problems += [
                f"task {number}: {'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in fault.errors()
            ]
    problems = problems or check_plan(parsed)
    if problems:
        said = f"The plan cannot be carried out: {'; '.join(problems[:10])}. Mend that and send it again."
        raise Invalid(said, code="bad_plan", problems=problems)
    return tuple(parsed)


def check_plan(tasks: Sequence[PlanTask]) -> list[str]:
    """What is wrong with the graph: duplicate keys, unknown dependencies, cycles. Empty when fine."""
    keys = [task.key for task in tasks]
    problems = (
        [f"the key {key!r} is used twice" for key in dict.fromkeys(keys) if keys.count(key) > 1]
        if len(set(keys)) < len(keys)
        else []
    )
    known = set(keys)
    for task in tasks:
        problems += [
            f"{task.key!r} depends on {parent!r}, which is not in the plan"
            for parent in task.depends_on
            if parent not in known
        ]
    if not problems and (cycle := find_cycle({t.key: t.depends_on for t in tasks})):
        problems.append("these tasks wait for each other in a circle: " + " → ".join(cycle))
    return problems


def find_cycle(parents: dict[str, tuple[str, ...]]) -> list[str]:
    """One cycle of the graph as keys, first repeated at the end; empty when there is none."""
    state: dict[str, int] = {}
    for start, first in parents.items():
        path: list[str] = []
        stack = [(start, iter(first))] if state.get(start, 0) == 0 else []
        if stack:
            state[start] = 1
            path.append(start)
        while stack:
            key, rest = stack[-1]
            parent = next(rest, None)
            if parent is None:
                state[key] = 2
                stack.pop()
                path.pop()
            elif state.get(parent, 0) == 1:
                return [*path[path.index(parent) :], parent]
            elif state.get(parent, 0) == 0:
                state[parent] = 1
                path.append(parent)
                stack.append((parent, iter(parents[parent])))
    return []


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task stands in its graph, in tasks (the t-level and b-level of list scheduling: Kwok and Ahmad, 1999).

    `level`: the longest path to it from a task without dependencies; `bottom_level`: the longest path from it to a
    task that nothing depends on, itself counted. Their sum is largest on the critical path.
    """

    level: int
    bottom_level: int


def places(tasks: Sequence[PlanTask]) -> dict[str, Place]:
    """Where each task stands, by key. The graph must be acyclic."""
    parents = {task.key: tuple(dict.fromkeys(task.depends_on)) for task in tasks}
    children: dict[str, list[str]] = {key: [] for key in parents}
    waiting = {key: len(ps) for key, ps in parents.items()}
    for key, ps in parents.items():
        for parent in ps:
            children[parent].append(key)
    order = [key for key, n in waiting.items() if n == 0]
    level = dict.fromkeys(order, 0)
    for key in order:
        for child in children[key]:
            level[child] = max(level.get(child, 0), level[key] + 1)
            waiting[child] -= 1
            if waiting[child] == 0:
                order.append(child)
    bottom: dict[str, int] = {}
    for key in reversed(order):
        bottom[key] = 1 + max((bottom[child] for child in children[key]), default=0)
    return {key: Place(level[key], bottom[key]) for key in order}


def path_length(tasks: Sequence[PlanTask]) -> int:
    """How many tasks the longest path through the graph has: so many are done one after another, however many help."""
    return max((place.level + place.bottom_level for place in places(tasks).values()), default=0)


def children_of(edges: Iterable[tuple[UUID, UUID]]) -> dict[UUID, list[UUID]]:
    """The tasks that need each task, from edges (task, parent) as the rows of dependencies hold them."""
    children: dict[UUID, list[UUID]] = {}
    for task, parent in edges:
        children.setdefault(parent, []).append(task)
    return children
