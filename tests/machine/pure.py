"""The engine's pure core alone: lifecycles, fences, counters and changes on rows in memory, in milliseconds.

`World` is one run. It decides the engine's moves as `Change`s from the tables in `core.lifecycle`, and applies them as
`clawgroups.commit` does: everything of a change, or nothing. Two deciders may look before either of them has written.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Count, Insert, OneOf, Update, Write, one_of
from clawgroups.core.errors import IllegalMove
from clawgroups.core.lifecycle import (
    ATTEMPT_LIVE,
    ATTEMPT_OPEN,
    TASK_OPEN,
    TASK_TERMINAL,
    AttemptVerb,
    TaskVerb,
    move_attempt,
    move_task,
)
from clawgroups.core.plan import parse_plan, places

TASK, ATTEMPT, RUN = "Task", "Attempt", "Run"
Row = dict[str, Any]
Key = tuple[str, str]
OPEN = frozenset(state.value for state in TASK_OPEN)
OVER = frozenset(state.value for state in TASK_TERMINAL)
TRY_OPEN = frozenset(state.value for state in ATTEMPT_OPEN)
LIVE = one_of(*(state.value for state in ATTEMPT_LIVE))


@dataclass
class World:
    """The rows of one run, and which tasks depend on which."""

    rows: dict[Key, Row] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: int = 0

    def tasks(self) -> Iterator[tuple[str, Row]]:
        return ((pk, row) for (model, pk), row in self.rows.items() if model == TASK)

    def attempts(self, task: str) -> list[Row]:
        return [row for (model, _), row in self.rows.items() if model == ATTEMPT and row["task"] == task]

    # Writing, as the batch does

    def apply(self, change: Change) -> bool:
        """Apply a change, if all of its rows are as it expects."""
        for write in change.writes:
            if isinstance(write, Update) and not self._matches((write.model, write.pk), write.expect):
                return False
        for write in change.writes:
            self._write(write)
        return True

    def _write(self, write: Write) -> None:
        match write:
            case Insert(model, pk, values):
                assert (model, pk) not in self.rows, f"{model} {pk} is there twice"
                self.rows[model, pk] = dict(values)
            case Update(model, pk, values):
                self.rows[model, pk].update(values)
            case Count(model, pk, column, delta):
                row = self.rows[model, pk]
                row[column] += delta
                if row[column] == 0 and self._matches((model, pk), write.zero_expect):
                    row.update(write.zero_values)
            case _:
                raise AssertionError(write)

    def _matches(self, key: Key, expect: Mapping[str, Any]) -> bool:
        row = self.rows.get(key)
        return row is not None and all(
            row[column] in wanted.values if isinstance(wanted, OneOf) else row[column] == wanted
            for column, wanted in expect.items()
        )

    # Deciding, as the services do

    def begin(self, rng: random.Random) -> None:
        """A plan of a few tasks, in which each depends on some that stand before it."""
        size = rng.randint(1, 7)
        lines = [
            {"key": f"t{n}", "title": f"T{n}", "depends_on": [f"t{p}" for p in range(n) if rng.random() < 0.4]}
            for n in range(size)
        ]
        plan = parse_plan(lines)
        place = places(plan)
        self.parents = {task.key: tuple(dict.fromkeys(task.depends_on)) for task in plan}
        self.rows[RUN, "run"] = {"state": "running", "open_tasks": size}
        for task in plan:
            up = len(self.parents[task.key])
            assert (place[task.key].level == 0) == (up == 0)
            values = {"state": "waiting" if up else "ready", "epoch": 0, "waiting_on": up, "attempt": None}
            self.rows[TASK, task.key] = {**values, "holder": None}

    def move(self, pk: str, verb: TaskVerb, rng: random.Random) -> Change | None:
        """The change that `verb` is for a task as it stands; None where it is not possible."""
        task = self.rows[TASK, pk]
        try:
            state = move_task(task["state"], verb).value
        except IllegalMove:
            return None
        writes = DECIDE[verb](self, pk, task, {"state": state}, rng)
        return None if writes is None else Change(SYSTEM, writes=tuple(writes))

    def fence(self, task: Row) -> Row:
        return {"epoch": task["epoch"], "state": task["state"]}

    def moved(self, pk: str, task: Row, values: Row) -> Update:
        return Update(TASK, pk, values, self.fence(task))

    def offered(self, pk: str, task: Row, state: str) -> tuple[str, Insert]:
        """A new attempt under the next epoch."""
        self.numbers += 1
        attempt = f"a{self.numbers}"
        return attempt, Insert(ATTEMPT, attempt, {"task": pk, "state": state, "epoch": task["epoch"] + 1})

    def ended(self, task: Row, verb: AttemptVerb) -> list[Write]:
        """The open attempt of a task ends."""
        if task["attempt"] is None:
            return []
        row = self.rows[ATTEMPT, task["attempt"]]
        if row["state"] not in TRY_OPEN:
            return []
        return [Update(ATTEMPT, task["attempt"], {"state": move_attempt(row["state"], verb)}, {"state": row["state"]})]


Decider = Callable[[World, str, Row, Row, random.Random], list[Write] | None]


def _assign(world: World, pk: str, task: Row, values: Row, rng: random.Random) -> list[Write]:
    attempt, insert = world.offered(pk, task, "offered")
    values |= {"epoch": task["epoch"] + 1, "attempt": attempt}
    return [world.moved(pk, task, values), insert]


def _attempt_too(verb: AttemptVerb) -> Decider:
    def decide(world: World, pk: str, task: Row, values: Row, rng: random.Random) -> list[Write] | None:
        row = world.rows[ATTEMPT, task["attempt"]]
        try:
            state = move_attempt(row["state"], verb)
        except IllegalMove:
            return None
        if verb is AttemptVerb.SUBMIT:
            values |= {"holder": None}
        return [
            world.moved(pk, task, values),
            Update(ATTEMPT, task["attempt"], {"state": state}, {"state": row["state"], "epoch": task["epoch"]}),
        ]

    return decide


def _accept(world: World, pk: str, task: Row, values: Row, rng: random.Random) -> list[Write]:
    children = [child for child, parents in world.parents.items() if pk in parents]
    writes = [world.moved(pk, task, values), *world.ended(task, AttemptVerb.ACCEPT), _closed()]
    return writes + [
        Count(TASK, child, "waiting_on", -1, {"state": "waiting"}, {"state": "ready"}) for child in children
    ]


def _closed() -> Count:
    return Count(RUN, "run", "open_tasks", -1, {"state": "running"}, {"state": "consolidating"})


def _end(verb: AttemptVerb) -> Decider:
    def decide(world: World, pk: str, task: Row, values: Row, rng: random.Random) -> list[Write]:
        values |= {"epoch": task["epoch"] + 1, "attempt": None, "holder": None}
        return [world.moved(pk, task, values), *world.ended(task, verb)]

    return decide


def _take_over(world: World, pk: str, task: Row, values: Row, rng: random.Random) -> list[Write]:
    attempt, insert = world.offered(pk, task, "working")
    values |= {"epoch": task["epoch"] + 1, "attempt": attempt, "holder": rng.choice(["ada", "bob"])}
    return [world.moved(pk, task, values), *world.ended(task, AttemptVerb.SUPERSEDE), insert]


def _adopt(world: World, pk: str, task: Row, values: Row, rng: random.Random) -> list[Write]:
    attempt, insert = world.offered(pk, task, "submitted")
    values |= {"epoch": task["epoch"] + 1, "attempt": attempt}
    return [world.moved(pk, task, values), *world.ended(task, AttemptVerb.SUPERSEDE), insert]


def _close(world: World, pk: str, task: Row, values: Row, rng: random.Random) -> list[Write]:
    """Cancelled or failed, with everything that needs it."""
    writes: list[Write] = []
    for each in [pk, *_needing(world, pk)]:
        row = world.rows[TASK, each]
        own = {**values, "epoch": row["epoch"] + 1, "attempt": None, "holder": None}
        writes += [world.moved(each, row, own), *world.ended(row, AttemptVerb.CANCEL), _closed()]
    return writes


def _needing(world: World, pk: str) -> list[str]:
    found, queue = [], [pk]
    while queue:
        one = queue.pop()
        for child, parents in world.parents.items():
            if one in parents and child not in found and world.rows[TASK, child]["state"] in OPEN:
                found.append(child)
                queue.append(child)
    return found


DECIDE: dict[TaskVerb, Decider] = {
    TaskVerb.ASSIGN: _assign,
    TaskVerb.BEGIN: _attempt_too(AttemptVerb.BEGIN),
    TaskVerb.SUBMIT: _attempt_too(AttemptVerb.SUBMIT),
    TaskVerb.ACCEPT: _accept,
    TaskVerb.RETURN: _end(AttemptVerb.RETURN),
    TaskVerb.RELEASE: _end(AttemptVerb.EXPIRE),
    TaskVerb.TAKE_OVER: _take_over,
    TaskVerb.HAND_BACK: _end(AttemptVerb.SUPERSEDE),
    TaskVerb.STICK: _end(AttemptVerb.EXPIRE),
    TaskVerb.ADOPT: _adopt,
    TaskVerb.REGENERATE: _end(AttemptVerb.CANCEL),
    TaskVerb.FAIL: _close,
    TaskVerb.CANCEL: _close,
}


def play(seed: int, steps: int = 60) -> None:
    """One seed's history: random moves, some of them decided before others were written; checked after each."""
    rng = random.Random(seed)
    world = World()
    world.begin(rng)
    decided: list[Change] = []
    verbs = list(DECIDE)
    said: dict[str, tuple[str, int]] = {}
    for _ in range(steps):
        if decided and rng.random() < 0.3:
            world.apply(decided.pop(rng.randrange(len(decided))))
        else:
            pk = rng.choice([pk for pk, _ in world.tasks()])
            # Ends are rarer than moves, or nothing would ever get far.
            weights = [1 if verb in (TaskVerb.FAIL, TaskVerb.CANCEL) else 6 for verb in verbs]
            change = world.move(pk, rng.choices(verbs, weights)[0], rng)
            if change is None:
                continue
            if rng.random() < 0.3:
                decided.append(change)
            else:
                assert world.apply(change), f"seed {seed}: decided from the rows as they are, and refused"
        found = wrong(world, said)
        assert not found, f"seed {seed}: {'; '.join(found)}"


def wrong(world: World, said: dict[str, tuple[str, int]]) -> list[str]:
    """What does not hold; `said` remembers each task's state and epoch from the last look."""
    found = []
    for pk, task in world.tasks():
        state, epoch = said.get(pk, (task["state"], 0))
        if task["epoch"] < epoch:
            found.append(f"the epoch of {pk} fell")
        if state in OVER and task["state"] != state:
            found.append(f"{pk} was {state} and is {task['state']}")
        said[pk] = (task["state"], task["epoch"])
        undone = [p for p in world.parents[pk] if world.rows[TASK, p]["state"] != "done"]
        if task["state"] in OPEN and task["waiting_on"] != len(undone):
            found.append(f"{pk} waits for {task['waiting_on']}, and {len(undone)} are not done")
        if (task["state"] == "waiting") != bool(task["waiting_on"]) and task["state"] in OPEN:
            found.append(f"{pk} is {task['state']} and waits for {task['waiting_on']}")
        found += _wrong_attempts(world, pk, task)
    run, left = world.rows[RUN, "run"], sum(task["state"] in OPEN for _, task in world.tasks())
    if run["open_tasks"] != left or (run["state"] == "consolidating") != (left == 0):
        found.append(f"the run is {run}, and {left} of its tasks are open")
    return found


def _wrong_attempts(world: World, pk: str, task: Row) -> list[str]:
    tries = world.attempts(pk)
    going = [row for row in tries if row["state"] in TRY_OPEN]
    accepted = [row for row in tries if row["state"] == "accepted"]
    found = []
    if len(accepted) != (task["state"] == "done"):
        found.append(f"{pk} is {task['state']} with {len(accepted)} accepted results")
    in_hands = task["state"] in ("assigned", "working", "in_review", "held")
    if len(going) != in_hands or any(row["epoch"] != task["epoch"] for row in going):
        found.append(f"{pk} is {task['state']} under epoch {task['epoch']} with the open attempts {going}")
    if (task["holder"] is not None) != (task["state"] == "held"):
        found.append(f"{pk} is {task['state']} and held by {task['holder']}")
    return found
