"""T15 to T18: agents that say everything several times, sleep, fall silent, go round in circles, or never deliver."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Container
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from clawgroups.core.failures import Failure
from tests.chaos.crew import Crew, Room
from tests.chaos.faults import FaultProxy, flapping
from tests.chaos.history import hexed, seconds_of
from tests.chaos.plans import flat
from tests.chaos.roles import DUPLICATOR
from tests.chaos.rows import CI, FULL, Row, Size
from tests.chaos.scene import MINUTES, Scene, Stage, staged
from tests.chaos.stacks import Stack, running
from tests.stories.waiting import until

# Of T15 `blows` are how often the line is cut, where no clock says so; of T16 to T18 the agents that misbehave. T17
# has as many silent ones, and 2 of 5 of each other kind.
SIZES = {
    "T15": {FULL: Size(FULL, 300, 4000, 0, 0.5), CI: Size(CI, 6, 12, 3, 0.12)},
    "T16": {FULL: Size(FULL, 300, 600, 100, 20.0), CI: Size(CI, 8, 12, 2, 8.0)},
    "T17": {FULL: Size(FULL, 300, 400, 50, 2.5), CI: Size(CI, 10, 12, 3, 0.4)},
    "T18": {FULL: Size(FULL, 300, 4000, 30, 0.5), CI: Size(CI, 8, 28, 1, 0.2)},
}
# How the clock of the stack is scaled: nobody waits minutes for a lost contact or a stall. At full size T17 has twice
# the time: heartbeats of a second that 300 agents send late on two cores look like an outage of our own.
QUICK = 0.1
LESS_QUICK = 0.2
# Agents that are only slow to be heard, as the machine is busy, are no part of these tests.
PATIENT = {"lost_contact": 1200.0, "grace": 1200.0}
# The five minutes of the default come to a tenth at full size, in a test run to a thirtieth.
STALLS = {FULL: 150.0, CI: 100.0}
TOO_LATE = "came too late"
# T15 at full size: how long a line holds, in the time that a task takes. 300 agents that all come back every ten
# seconds are an outage of their own on two cores, in which some are away for longer than the grace.
UP = 120.0


def clock_scale(test: str, size: str) -> float:
    """How long a second of the stack's deadlines is, in seconds; only T15 waits for none."""
    if test == "T15":
        return 1.0
    return LESS_QUICK if test == "T17" and size == FULL else QUICK


def on_time(test: str, size: str) -> AbstractContextManager[Stack]:
    """The servers, on a quick clock where a test waits for deadlines."""
    return running("servers", CLAWGROUPS_CLOCK_SCALE=str(clock_scale(test, size)))


def repeated_words(stack: Stack, size: Size, seed: int) -> Row:
    """T15: the same run twice; in the second every message comes one to three times, in another order.

    What has no identity of its own, a piece of text, the transport has to carry once: so the line is cut, too.
    """
    row = Row("T15", "every message 1 to 3 times, out of order, on a line that is cut", stack.name, seed)
    clean = _played(row, stack, size, "steady", stack.url, _undisturbed)
    with FaultProxy(stack.url) as line:

        def act(scene: Scene, _row: Row) -> None:
            if size.name == FULL:
                with flapping(line, scene.dice, up=UP * size.work, down=size.work):
                    scene.followers[0].ended(scene.run, seconds=20 * MINUTES)
            # By a clock a slow machine, on which everything takes longer, would be cut off more often.
            for blow in range(size.blows):
                scene.reach((blow + scene.dice.random()) / size.blows)
                line.cut()
                time.sleep(size.work)
                line.heal()

        disturbed = _played(row, stack, size, DUPLICATOR, line.url, act)
    other = [key for key in clean.keys() | disturbed.keys() if clean.get(key) != disturbed.get(key)]
    row.verdict.faults += [f"{key}: {clean.get(key)} became {disturbed.get(key)}" for key in sorted(other)[:5]]
    row.measure("tasks that came to another end", len(other), 0, "of them")
    return row


def _undisturbed(_scene: Scene, _row: Row) -> None:
    """Nothing is done to the run."""


def _played(
    row: Row, stack: Stack, size: Size, role: str, url: str, act: Callable[[Scene, Row], None]
) -> dict[str, Any]:
    """A run by agents of this role, and what it came to."""

    def crew(stack: Stack, room: Room) -> Crew:
        roles = {one["name"]: role for one in room.agents}
        return Crew(stack, room.agents, seed=row.seed, work=size.work, roles=roles, url=url)

    scene = staged(row, stack, size, act, Stage(crew=crew))
    row.note(f"{len(scene.crew.absences())} times a line was cut")
    return projection(stack, scene.run)


def of_run(run: str) -> str:
    return f"replace(CAST(t.run_id AS text), '-', '') = '{hexed(run)}'"


def projection(stack: Stack, run: str) -> dict[str, Any]:
    """What a run has come to, task by task: everything that does not depend on who did it and when."""
    said: dict[str, Any] = {}
    tasks = stack.rows(f"SELECT t.id, t.key, t.state, t.epoch, t.tries FROM clawgroups_task t WHERE {of_run(run)}")
    keys = {hexed(str(pk)): key for pk, key, *_ in tasks}
    for _, key, *columns in tasks:
        said[key] = {"task": columns, "attempts": [], "steps": [], "journal": Counter()}
    tries = stack.rows(
        "SELECT t.key, a.number, a.state, a.stop, a.result, a.late_result FROM clawgroups_attempt a "
        f"JOIN clawgroups_task t ON t.id = a.task_id WHERE {of_run(run)} ORDER BY t.key, a.number"
    )
    steps = stack.rows(
        "SELECT t.key, s.title, s.kind, s.status FROM clawgroups_step s JOIN clawgroups_attempt a "
        "ON a.id = s.attempt_id JOIN clawgroups_task t ON t.id = a.task_id "
        f"WHERE {of_run(run)} ORDER BY t.key, s.title"
    )
    for part, rows in (("attempts", tries), ("steps", steps)):
        for key, *columns in rows:
            said[key][part].append(columns)
    for type_, payload in stack.rows(
        "SELECT type, payload FROM clawgroups_entry WHERE type LIKE 'task.%' AND type <> 'task.parked'"
    ):
        told = json.loads(payload) if isinstance(payload, str) else payload
        if key := keys.get(hexed(str(told.get("task_id", "")))):
            said[key]["journal"][type_] += 1
    return said


@dataclass(frozen=True)
class Tried:
    """One attempt as its row stands; `agent` is the agent's number in the crew, times are seconds since 1970."""

    task: str
    number: int
    agent: int
    state: str
    failure: str
    late: bool
    progress: float
    ended: float


def attempts(stack: Stack, run: str) -> list[Tried]:
    """All attempts of a run, task by task."""
    rows = stack.rows(
        "SELECT t.key, a.number, m.name, a.state, a.failure, a.late_at, a.progress_at, a.ended_at "
        "FROM clawgroups_attempt a JOIN clawgroups_task t ON t.id = a.task_id "
        f"JOIN clawgroups_member m ON m.id = a.member_id WHERE {of_run(run)} ORDER BY t.key, a.number"
    )
    return [
        Tried(key, number, int(name.split()[-1]), state, failure, late is not None, *map(_seconds, (progress, ended)))
        for key, number, name, state, failure, late, progress, ended in rows
    ]


def _seconds(at: Any) -> float:
    return 0.0 if at is None else seconds_of(at)


def woken_late(stack: Stack, size: Size, seed: int) -> Row:
    """T16: agents are frozen in the middle of their work until others have it; then they wake and deliver.

    The run has five times as many tasks: more than a fifth of them lost would end its retries, and rightly so.
    """
    frozen = size.blows
    row = Row("T16", f"{frozen} agents frozen until others have their work", stack.name, seed)

    def at_first(stack: Stack, room: Room) -> Crew:
        roles = {one["name"]: "late" for one in room.agents}
        return Crew(stack, room.agents[:frozen], seed=seed, work=size.work, roles=roles, processes=min(frozen, 4))

    def act(scene: Scene, row: Row) -> None:
        # As the agents say: what was sent may not have been read yet.
        until(lambda: len(scene.crew.prompts()) == frozen, seconds=60, what="everybody at work")
        scene.crew.freeze()
        scene.comes(Crew(stack, scene.room.agents[frozen:], seed=seed, work=1.0))
        until(lambda: _given_again(stack, scene.run) == frozen, seconds=120, what="their work with others")
        scene.crew.thaw()
        scene.followers[0].ended(scene.run, seconds=120)
        until(lambda: len(scene.crew.said(TOO_LATE)) >= frozen, seconds=60, what="everybody told")

    stage = Stage(plan=flat(size.tasks, seed), alike=True, crew=at_first, again=True)
    scene = staged(row, stack, size, act, stage)
    late = [one for one in attempts(stack, scene.run) if one.late]
    told = {line["agent"] for line in scene.crew.said(TOO_LATE)}
    row.measure("late results not kept", frozen - len({one.agent for one in late if one.agent < frozen}), 0, "of them")
    row.measure("late results applied", sum(one.state == "accepted" for one in late), 0, "of them")
    row.measure("agents not told", frozen - len(told), 0, "of them")
    return row


def _given_again(stack: Stack, run: str) -> int:
    """How many tasks were given to a second agent."""
    return sum(1 for one in attempts(stack, run) if one.number == 2)


def stuck_ones(stack: Stack, size: Size, seed: int) -> Row:
    """T17: some never say anything, some say the same for ever, some are slow but get on."""
    mute, few = size.blows, 2 * size.blows // 5
    stall = STALLS[size.name]
    row = Row("T17", f"{mute} silent, {few} looping, {few} slow agents", stack.name, seed)
    kinds = ["silent"] * mute + ["looping"] * few + ["slow"] * few
    stage = Stage(
        plan=flat(size.agents, seed, last=size.tasks - size.agents),
        roles={f"agent-{number}": kind for number, kind in enumerate(kinds)},
        alike=True,
        timers={**PATIENT, "soft_stall": stall / 2, "hard_stall": stall},
        again=True,
    )
    scene = staged(row, stack, size, _undisturbed, stage)
    tried = attempts(stack, scene.run)
    bad, slow = range(mute + few), range(mute + few, mute + 2 * few)
    caught = [one for one in tried if one.agent in bad]
    # Where tasks are given out slowly, those who are done soon get the later ones, too, and some agents none.
    at_work = {one.agent for one in caught}
    silent, looping = at_work & set(range(mute)), at_work & set(range(mute, mute + few))
    row.check("half of the bad ones had work, or more", 2 * len(silent) >= mute and 2 * len(looping) >= few)
    row.measure("silent ones not caught", len(silent) - _different(caught, Failure.STALLED, silent), 0, "of them")
    row.measure("looping ones not caught", len(looping) - _different(caught, Failure.LOOPING, looping), 0, "of them")
    # In a test run, which shares its machine, the sweep that looks may come late.
    in_time = (1.1 if size.name == FULL else 2.0) * stall * clock_scale("T17", size.name)
    row.measure("caught after, worst", max(one.ended - one.progress for one in caught), in_time)
    given_up = [one for one in tried if one.agent in slow and one.state != "accepted"]
    row.measure("slow ones given up", len(given_up), 0, "of them")
    first = {one.task: one.agent for one in tried if one.number == 1}
    again = {one.task for one in tried if one.number > 1 and first[one.task] not in bad}
    row.measure("results of others done again", len(again), 0, "of them")
    return row


def _different(tried: list[Tried], failure: Failure, agents: Container[int]) -> int:
    """How many of these agents have failed so."""
    return len({one.agent for one in tried if one.failure == failure and one.agent in agents})


def never_delivering(stack: Stack, size: Size, seed: int) -> Row:
    """T18: some agents always fail, each time in another way; nobody else may have to pay for that."""
    row = Row("T18", f"{size.blows} of {size.agents} agents always fail", stack.name, seed)
    roles = {f"agent-{number}": "liar" for number in range(size.blows)}
    scene = staged(row, stack, size, _undisturbed, Stage(roles=roles, timers=PATIENT, again=True))
    tried = attempts(stack, scene.run)
    failed = Counter(one.agent for one in tried if one.agent < size.blows)
    row.measure("tries of a task, most", max(one.number for one in tried), 3, "of them")
    row.measure("failures of an agent, most", max(failed.values()), 5, "of them")
    row.measure("attempts per task", len(tried) / size.tasks, 1.2, "of them")
    barred = {hexed(str(pk)) for (pk,) in stack.rows("SELECT id FROM agents_agent WHERE breaker = 'quarantined'")}
    barred &= {hexed(one["id"]) for one in scene.room.agents}
    worst = {number for number, times in failed.items() if times >= 5}
    free = [number for number in worst if hexed(scene.room.agents[number]["id"]) not in barred]
    row.measure("agents that failed five times and still get work", len(free), 0, "of them")
    row.note(f"{len(barred)} in quarantine")
    return row


BEHAVIOUR: dict[str, Callable[[Stack, Size, int], Row]] = {
    "T15": repeated_words,
    "T16": woken_late,
    "T17": stuck_ones,
    "T18": never_delivering,
}
