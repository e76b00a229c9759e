"""How a run went, to be held against its forecast: per run and per task. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clawgroups.core.forecast import Forecast

SHOWN = 60


@dataclass(frozen=True, slots=True)
class Done:
    """A task as it went: `minutes` of the work that was accepted, None while there is none."""

    id: str
    key: str
    title: str
    state: str
    parents: tuple[str, ...] = ()
    minutes: float | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One figure beside what was expected of it; None where nobody knows."""

    name: str
    expected: float | None
    actual: float | None

    @property
    def share(self) -> int | None:
        """The actual in percent of the expected."""
        if not self.expected or self.actual is None:
            return None
        return round(100 * self.actual / self.expected)


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task's minutes, expected and actual."""

    done: Done
    expected: float | None

    @property
    def over(self) -> float:
        """How much longer it took than expected, in minutes."""
        return (self.done.minutes or 0.0) - (self.expected or 0.0) if self.done.minutes is not None else 0.0


@dataclass(frozen=True, slots=True)
class Course:
    """A run so far, or as a whole. `lines` are its figures, `tasks` the tasks (of many, those furthest off)."""

    lines: tuple[Line, ...] = ()
    tasks: tuple[TaskLine, ...] = ()
    left_out: int = 0
    path: tuple[str, ...] = ()


def longest(done: Sequence[Done]) -> tuple[tuple[str, ...], float]:
    """The longest path through what was done, as titles, and its minutes."""
    known = {one.key: one for one in done if one.minutes is not None}
    best: dict[str, tuple[float, str]] = {}
    for one in done:  # in plan order, but a later edit may have put a parent behind
        _reach(one.key, known, best)
    if not best:
        return (), 0.0
    at = max(best, key=lambda key: best[key][0])
    length, path = best[at][0], []
    while at:
        path.append(known[at].title)
        at = best[at][1]
    return tuple(reversed(path)), round(length, 1)


def _reach(key: str, known: Mapping[str, Done], best: dict[str, tuple[float, str]]) -> None:
    """Fill in how long the longest path to each task is that this one waits for, without recursion."""
    stack = [key] if key in known else []
    while stack:
        at = stack[-1]
        parents = [p for p in known[at].parents if p in known]
        if open_ := [p for p in parents if p not in best]:
            stack += open_
            continue
        stack.pop()
        before = max(((best[p][0], p) for p in parents), default=(0.0, ""))
        best[at] = (before[0] + (known[at].minutes or 0.0), before[1])


def course(
    foreseen: Forecast,
    done: Sequence[Done],
    *,
    elapsed: float | None,
    tokens: int | None,
    cost_micro: int | None,
) -> Course:
    """A run's figures beside its forecast. `elapsed`: minutes since it began."""
    path, minutes = longest(done)
    worked = [one.minutes for one in done if one.minutes is not None]
    lines = (
        Line("time", foreseen.wall_minutes, None if elapsed is None else round(elapsed, 1)),
        Line("work", foreseen.work_minutes, round(sum(worked), 1) if worked else None),
        Line("path", foreseen.path_minutes, minutes if path else None),
        Line("tasks", foreseen.tasks, sum(1 for one in done if one.state != "cancelled")),
        Line("tries", foreseen.tasks, sum(one.tries for one in done)),
        Line("tokens", foreseen.tokens, tokens),
        Line("cost", foreseen.cost_micro, cost_micro),
    )
    tasks = [TaskLine(one, foreseen.minutes.get(one.key)) for one in done]
    if len(tasks) > SHOWN:
        tasks = sorted(tasks, key=lambda one: -abs(one.over))[:SHOWN]
    return Course(lines, tuple(tasks), len(done) - len(tasks), path)
