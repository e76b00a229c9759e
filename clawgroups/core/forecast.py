"""What a plan is expected to take: the longest path, the time on the members who are there, tokens and cost. Pure.

Nothing is made up: a number that nobody knows is None, and every guess of minutes says where it comes from.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from clawgroups.core.plan import PlanTask

# Minutes of a task of which nothing is known.
ASSUMED = 10.0
STORED = 200  # tasks that are stored one by one with a run
ESTIMATE, HISTORY, GUESS = "estimate", "history", "guess"


@dataclass(frozen=True, slots=True)
class Helper:
    """A member who may be given work: its skills, how much at once, and how much of that it is at already."""

    name: str
    handle: str
    skills: Mapping[str, int] = field(default_factory=dict)
    capacity: int = 1
    busy: int = 0
    # Why it cannot work at this moment: offline, resting...; empty: it can.
    away: str = ""
    # A person is asked, and never given a task.
    is_person: bool = False

    def can(self, skills: Iterable[str]) -> bool:
        """Whether it has all these skills."""
        return all(skill in self.skills for skill in skills)

    def fit(self, skills: Sequence[str]) -> float:
        """How well, from 0 to 5: the mean level of the skills that are needed; 5 where none is."""
        return sum(self.skills.get(skill, 0) for skill in skills) / len(skills) if skills else 5.0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known from earlier work: minutes of accepted tasks by skill ("" for all), and what a task used."""

    minutes: Mapping[str, float] = field(default_factory=dict)
    tokens: float | None = None
    cost_micro: float | None = None


@dataclass(frozen=True, slots=True)
class Weak:
    """The task that is least well provided for, and why."""

    key: str
    title: str
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected. `minutes` holds each task's, `sources` where it comes from, by key."""

    tasks: int = 0
    minutes: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    # The longest path: its tasks, how many, and their minutes; and all the work.
    path: tuple[str, ...] = ()
    path_tasks: int = 0
    path_minutes: float = 0.0
    work_minutes: float = 0.0
    # On the members who are there, each with so much at once.
    wall_minutes: float = 0.0
    at_once: int = 0
    on: int = 0
    tokens: int | None = None
    cost_micro: int | None = None
    weakest: Weak | None = None
    # The tasks that nobody here can do, and how many.
    nobody: tuple[str, ...] = ()
    nobody_tasks: int = 0
    # For how many tasks the minutes are only assumed.
    guessed: int = 0

    @property
    def breadth(self) -> float:
        """How many could work side by side, on average over the longest path (work over span)."""
        return self.work_minutes / self.path_minutes if self.path_minutes else 0.0

    def as_json(self) -> dict[str, Any]:
        """As it is stored when a run begins: without each task's minutes where there are many, and no long lists."""
        said = {**asdict(self), "path": list(self.path[:STORED]), "nobody": list(self.nobody[:STORED])}
        return said if self.tasks <= STORED else {**said, "minutes": {}, "sources": {}}


def read_forecast(said: Mapping[str, Any]) -> Forecast | None:
    """A stored forecast; None where there is none."""
    if not said.get("tasks"):
        return None
    weak, path, nobody = said.get("weakest"), tuple(said.get("path", ())), tuple(said.get("nobody", ()))
    return Forecast(
        **{
            "path_tasks": len(path),
            "nobody_tasks": len(nobody),
            **said,
            "path": path,
            "nobody": nobody,
            "weakest": Weak(**weak) if weak else None,
        }
    )


def forecast(plan: Sequence[PlanTask], helpers: Sequence[Helper], known: Known = Known()) -> Forecast:
    """What this plan is expected to take with these helpers. The graph must be acyclic."""
    if not plan:
        return Forecast()
    estimates = {task.key: estimate(task, known) for task in plan}
    minutes = {key: number for key, (number, _) in estimates.items()}
    left = minutes_left(plan, minutes)
    path = _longest(plan, left, minutes)
    wall, first = _Course(plan, minutes, left, helpers).run()
    nobody = tuple(task.key for task in plan if not any(h.can(task.skills) for h in helpers))
    return Forecast(
        tasks=len(plan),
        minutes={key: round(number, 1) for key, number in minutes.items()},
        sources={key: source for key, (_, source) in estimates.items()},
        path=path,
        path_tasks=len(path),
        path_minutes=round(max(left.values()), 1),
        work_minutes=round(sum(minutes.values()), 1),
        wall_minutes=round(wall, 1),
        at_once=len(first),
        on=len(set(first)),
        tokens=None if known.tokens is None else round(known.tokens * len(plan)),
        cost_micro=None if known.cost_micro is None else round(known.cost_micro * len(plan)),
        weakest=weakest(plan, helpers),
        nobody=nobody,
        nobody_tasks=len(nobody),
        guessed=sum(1 for _, source in estimates.values() if source == GUESS),
    )


def estimate(task: PlanTask, known: Known) -> tuple[float, str]:
    """A task's minutes and where they come from: the plan, earlier accepted work of its skills, or an assumption."""
    if task.minutes:
        return float(task.minutes), ESTIMATE
    found = [known.minutes[skill] for skill in task.skills if skill in known.minutes]
    if not task.skills and "" in known.minutes:
        found = [known.minutes[""]]
    return (max(found), HISTORY) if found else (ASSUMED, GUESS)


def typical_minutes(done: Iterable[tuple[Sequence[str], float]]) -> dict[str, float]:
    """The median minutes of accepted work, by each skill that it needed, and by "" for all of it."""
    spans: dict[str, list[float]] = {}
    for skills, minutes in done:
        for skill in ("", *dict.fromkeys(skills)):
            spans.setdefault(skill, []).append(minutes)
    return {skill: median(found) for skill, found in spans.items()}


def minutes_left(plan: Sequence[PlanTask], minutes: Mapping[str, float]) -> dict[str, float]:
    """By key: the minutes of the longest path from a task to the end, itself counted."""
    children: dict[str, list[str]] = {task.key: [] for task in plan}
    for task in plan:
        for parent in set(task.depends_on):
            children[parent].append(task.key)
    waiting = {key: len(found) for key, found in children.items()}
    parents = {task.key: set(task.depends_on) for task in plan}
    order = [key for key, number in waiting.items() if not number]
    left: dict[str, float] = {}
    for key in order:
        left[key] = minutes[key] + max((left[child] for child in children[key]), default=0.0)
        for parent in parents[key]:
            waiting[parent] -= 1
            if not waiting[parent]:
                order.append(parent)
    return left


def weakest(plan: Sequence[PlanTask], helpers: Sequence[Helper]) -> Weak | None:
    """The task whose best candidate fits least, or that nobody can do; of equals the first. None: all fit well."""
    best: dict[tuple[str, ...], tuple[float, Helper | None]] = {}
    found: tuple[float, PlanTask, Helper | None] | None = None
    for task in plan:
        if task.skills not in best:
            able = [h for h in helpers if h.can(task.skills)]
            one = max(able, key=lambda h: (not h.away, h.fit(task.skills)), default=None)
            best[task.skills] = (-1.0 if one is None else one.fit(task.skills) - (5.0 if one.away else 0.0), one)
        score, helper = best[task.skills]
        if found is None or score < found[0]:
            found = (score, task, helper)
    if found is None or found[0] >= 5.0:
        return None
    _, task, helper = found
    return Weak(task.key, task.title, helper.name if helper else "", _why(task, helper, helpers))


def _why(task: PlanTask, helper: Helper | None, helpers: Sequence[Helper]) -> str:
    if helper is None:
        lacking = [skill for skill in task.skills if not any(skill in h.skills for h in helpers)]
        if lacking:
            return f"nobody has the skill {', '.join(lacking)}"
        return f"nobody has {', '.join(task.skills)} together" if helpers else "nobody here can be given work"
    levels = ", ".join(f"{skill} at level {helper.skills[skill]} of 5" for skill in task.skills)
    return f"{levels or 'no particular skill is needed'}{f'; {helper.away}' if helper.away else ''}"


def _longest(plan: Sequence[PlanTask], left: Mapping[str, float], minutes: Mapping[str, float]) -> tuple[str, ...]:
    """The keys of the longest path, in the order in which they are done."""
    children: dict[str, list[str]] = {}
    for task in plan:
        for parent in task.depends_on:
            children.setdefault(parent, []).append(task.key)
    at = max((task.key for task in plan if not task.depends_on), key=left.__getitem__)
    path = [at]
    while children.get(at):
        at = max(children[at], key=left.__getitem__)
        path.append(at)
    return tuple(path)


class _Course:
    """List scheduling: whatever most others wait for goes first to whoever is free and fits best (Graham, 1966).

    What nobody here can do is taken to find somebody: it does not hold the forecast up, and is named apart.
    """

    def __init__(
        self,
        plan: Sequence[PlanTask],
        minutes: Mapping[str, float],
        left: Mapping[str, float],
        helpers: Sequence[Helper],
    ) -> None:
        there = [h for h in helpers if not h.away] or list(helpers)
        self._minutes, self._left = minutes, left
        self._skills = {task.key: task.skills for task in plan}
        self._place = {task.key: number for number, task in enumerate(plan)}
        self._fits = {s: {n: h.fit(s) for n, h in enumerate(there) if h.can(s)} for s in set(self._skills.values())}
        self._slots = [max(h.capacity - h.busy, 0) for h in there]
        self._free = {n for n, number in enumerate(self._slots) if number}
        self._queues: dict[tuple[str, ...], list[tuple[float, int, str]]] = {}
        # What they are at now ends some time: after as long as a task usually takes.
        usual = median(minutes.values())
        self._ends = [(usual, n, "") for n, h in enumerate(there) for _ in range(min(h.busy, h.capacity))]
        self._children: dict[str, list[str]] = {}
        self._waiting = {task.key: len(set(task.depends_on)) for task in plan}
        for task in plan:
            for parent in set(task.depends_on):
                self._children.setdefault(parent, []).append(task.key)

    def run(self) -> tuple[float, list[int]]:
        """When the last task ends, and who is given one at the very beginning."""
        for key, number in self._waiting.items():
            if not number:
                self._ready(key)
        first, end = self._give(0.0), 0.0
        while self._ends:
            now, one, key = heapq.heappop(self._ends)
            if one >= 0:
                self._slots[one] += 1
                self._free.add(one)
            if key:
                end = now
                self._done(key)
            if not self._ends or self._ends[0][0] > now:
                self._give(now)
        return end, first

    def _ready(self, key: str) -> None:
        heapq.heappush(self._queues.setdefault(self._skills[key], []), (-self._left[key], self._place[key], key))

    def _done(self, key: str) -> None:
        for child in self._children.get(key, ()):
            self._waiting[child] -= 1
            if not self._waiting[child]:
                self._ready(child)

    def _give(self, now: float) -> list[int]:
        given = []
        for skills, queue in self._queues.items():
            fits = self._fits[skills]
            while queue and (not fits or (open_ := self._free & fits.keys())):
                key = heapq.heappop(queue)[2]
                one = max(open_, key=lambda n, f=fits: (f[n], -n)) if fits else -1  # type: ignore[misc]
                heapq.heappush(self._ends, (now + self._minutes[key], one, key))
                if one >= 0:
                    given.append(one)
                    self._slots[one] -= 1
                    if not self._slots[one]:
                        self._free.discard(one)
        return given
