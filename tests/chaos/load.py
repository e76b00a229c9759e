"""T01, T02, T05, T13: nothing is broken but the rest: many at once, for long, as fast as they can, all back together.

In the sizes `blows` are the browsers, half of them on the journal's socket and half on the pages'.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPException

from tests.chaos.audience import Audience, watching
from tests.chaos.crew import Crew, Room, furnish, working
from tests.chaos.faults import FaultProxy
from tests.chaos.history import OPEN, head_of, judge, seconds_of
from tests.chaos.kills import released
from tests.chaos.meter import Meter, metered
from tests.chaos.plans import layered
from tests.chaos.rows import CI, FULL, Row, Size, percentile
from tests.chaos.scene import MINUTES, Scene, Stage, staged
from tests.chaos.stacks import Servers, Stack
from tests.stories.waiting import until

# In T01 and T05 `tasks` are seconds: how long it lasts.
SIZES = {
    "T01": {FULL: Size(FULL, 300, 600, 20, 0.5), CI: Size(CI, 16, 8, 4, 0.2)},
    "T02": {FULL: Size(FULL, 300, 4000, 20, 0.1), CI: Size(CI, 8, 16, 4, 0.1)},
    "T05": {FULL: Size(FULL, 300, 1800, 20, 15.0), CI: Size(CI, 16, 8, 4, 2.0)},
    "T13": {FULL: Size(FULL, 300, 2000, 100, 5.0), CI: Size(CI, 16, 60, 10, 1.0)},
}
WARM = 60.0  # seconds after which a process has all it keeps
TOO_SHORT = "too short to say whether anything piles up"
# T02, second half: agents ask for so much of what the server does at most, and are what is waited for. How much that
# is, depends on the machine; in a small run, beside other tests, a task takes so many seconds.
STEADY = 0.6
STEADY_WORK = 0.5
CORE = ("web", "worker", "coordinator")
OUTAGE = 10.0
LAST = 20.0  # seconds that the last entries may take to arrive; how late each was is measured elsewhere
# Each process has a pool of at most 16: web, worker with its two children, coordinator, and what a test asks itself.
MOST_CONNECTIONS = 5 * 16 + 4


def halves(stack: Stack, room: Room, count: int, seed: int, **more: str) -> Audience:
    """So many browsers, half of them at each socket."""
    return Audience(stack, room, journals=count - count // 2, pages=count // 2, seed=seed, **more)


def at_rest(stack: Stack, size: Size, seed: int) -> Row:
    """T01: agents and browsers that only say that they are there."""
    row = Row("T01", f"{size.agents} agents and {size.blows} browsers at rest, {size.tasks} s", stack.name, seed)
    room = furnish(stack, size.agents)
    with ExitStack() as over:
        crew = over.enter_context(working(Crew(stack, room.agents, seed=seed, work=size.work)))
        audience = over.enter_context(watching(halves(stack, room, size.blows, seed)))
        meter = over.enter_context(metered(stack))
        time.sleep(size.tasks)  # As long as the test says.
        closes = [line["why"] for line in crew.lines() if line["what"] == "down"] + audience.downs()
    row.measure("unasked closes", len(closes), 0, "of them")
    parts = [part for part in CORE if part in meter.samples]
    if size.tasks > 2 * WARM:
        row.measure("memory growth after a minute, worst", 100 * max(meter.growth(one, WARM) for one in parts), 10, "%")
    else:
        row.note(TOO_SHORT)
    row.measure("of one core", 100 * meter.share(*parts), 25, "%")
    row.note(meter.memory())
    row.verdict.faults += closes[:5]
    return row


def whole_run(stack: Stack, size: Size, seed: int) -> Row:
    """T02: a whole run as fast as the server can, and the same with agents that take their time."""
    row = Row("T02", f"{size.tasks} tasks, {size.agents} agents, {size.blows} browsers", stack.name, seed)
    rate = _leg(row, stack, size, "flat out")
    work = size.agents / (STEADY * rate) if size.name == FULL else STEADY_WORK
    row.note(f"steady: {work:.0f} s a task")
    # All begin together, and would end together: as many at once as the server has no room for, once more.
    _leg(row, stack, replace(size, work=work), "steady", role="out_of_step")
    return row


def _leg(row: Row, stack: Stack, size: Size, pace: str, *, role: str = "obedient") -> float:
    """One run; tasks a second from the first prompt to its end."""
    rates: list[float] = []

    def act(scene: Scene, _row: Row) -> None:
        audience = scene.over.enter_context(watching(halves(stack, scene.room, size.blows, row.seed, name=pace[:4])))
        with metered(stack, every=2.0) as meter:
            scene.followers[0].ended(scene.run, seconds=20 * MINUTES)
        row.verdict.faults += _heard(stack, scene.room, audience)
        rates.append(_measured(row, scene, meter, audience, pace))

    def crew(stack: Stack, room: Room) -> Crew:
        roles = {one["name"]: role for one in room.agents}
        return Crew(stack, room.agents, seed=row.seed, work=size.work, roles=roles)

    staged(row, stack, size, act, Stage(crew=crew))
    return rates[0]


def _heard(stack: Stack, room: Room, audience: Audience) -> list[str]:
    """Let browsers have the last entries and go; what is wrong with what they heard."""
    head = head_of(stack, room.workspace)
    audience.hears_up_to(head, seconds=LAST)
    audience.stop()
    return audience.caught_up(head)


def _measured(row: Row, scene: Scene, meter: Meter, audience: Audience, pace: str) -> float:
    prompts = sorted(line["at"] for line in scene.crew.lines() if line["what"] == "prompt")
    entries = scene.followers[0].entries.all()
    took: float = seconds_of(entries[-1]["at"]) - prompts[0]
    rate = scene.size.tasks / took
    if pace == "flat out":
        row.measure(f"{pace}: first prompt to end", took, 10 * MINUTES)
    else:  # It is the agents' time.
        row.note(f"{pace}: first prompt to end {took:.1f} s")
    row.note(f"{rate:.1f} tasks and {len(entries) / took:.0f} entries a second")
    late = audience.lateness(since=prompts[0])
    first, waits = waits_for_prompt(scene)
    if pace == "steady":
        row.note(f"{pace}: all agents at once had their first prompts after {max(first):.1f} s")
    else:
        waits = first + waits
    for name, values, limits in (
        ("commit to browser", late, (None, 500, 1500)),
        ("ready to prompt", waits, (None, 1000 if pace == "steady" else None, None)),
    ):
        for share, limit in zip((0.5, 0.95, 0.99), limits, strict=True):
            # A small run is beside other tests: only the full one is held to its times.
            held = limit if scene.size.name == FULL else None
            _say(row, f"{pace}: {name} p{100 * share:.0f}", 1000 * percentile(values, share), held)
    spent = {part: meter.cpu(part) for part in meter.samples}
    told = ", ".join(f"{part} {1000 * cpu / scene.size.tasks:.1f}" for part, cpu in sorted(spent.items()))
    row.note(f"CPU seconds for 1,000 tasks: {told}; {meter.memory()}")
    return rate


def _say(row: Row, name: str, value: float, limit: float | None) -> None:
    if limit is None:
        row.note(f"{name} {value:.0f} ms")
    else:
        row.measure(name, value, limit, "ms")


def waits_for_prompt(scene: Scene) -> tuple[list[float], list[float]]:
    """Seconds from the moment that a task was ready and its agent free, whichever came last, to its prompt.

    Those of every agent's first task, which all begin in the same moment, and those of the rest.
    """
    entries = scene.followers[0].entries.all()
    begun = next(seconds_of(one["at"]) for one in entries if one["type"] == "run.started")
    ready = {one["payload"]["task_id"]: seconds_of(one["at"]) for one in entries if one["type"] == "task.ready"}
    free: dict[str, float] = {}
    first: list[float] = []
    rest: list[float] = []
    for line in scene.crew.lines():
        if line["what"] == "end":
            free[line["agent"]] = line["at"]
        elif line["what"] == "prompt" and line["turn"] == "work":
            since = max(ready.get(line["task"], begun), free.get(line["agent"], 0.0))
            (rest if line["agent"] in free else first).append(max(0.0, line["at"] - since))
    return first, rest


def long_time(stack: Stack, size: Size, seed: int) -> Row:
    """T05: for half an hour as many tasks as the agents can take, one run after the other; nothing may pile up."""
    row = Row("T05", f"{size.agents} agents and {size.blows} browsers at work for {size.tasks} s", stack.name, seed)
    room = furnish(stack, size.agents)
    runs: list[str] = []
    connections = 0
    with ExitStack() as over:
        crew = over.enter_context(working(Crew(stack, room.agents, seed=seed, work=size.work)))
        audience = over.enter_context(watching(halves(stack, room, size.blows, seed)))
        meter = over.enter_context(metered(stack))
        ends_at = time.monotonic() + size.tasks
        while time.monotonic() < ends_at:
            # Before the agents run out of work, there is more.
            if _open_tasks(stack) < 3 * size.agents:
                runs.append(room.start_run(layered(min(4000, 20 * size.agents), seed + len(runs))))
            connections = max(connections, _connections(stack))
            time.sleep(min(5.0, size.tasks / 4))  # How often somebody looks.
        done = _count(stack, "clawgroups_task WHERE state = 'done'")
        # Whoever looks at it goes home before all runs have ended, and takes their sockets along.
        meter.stop()
        _ends(stack, row, room, runs, crew, audience)
    row.note(f"{done / size.tasks:.1f} tasks a second, {len(runs)} runs")
    if isinstance(stack, Servers):
        row.measure("connections to PostgreSQL", connections, MOST_CONNECTIONS, "of them")
    if size.tasks > 4 * WARM:
        _steady(row, meter)
    else:
        row.note(TOO_SHORT)
    row.note(meter.memory())
    return row


def _ends(stack: Stack, row: Row, room: Room, runs: Sequence[str], crew: Crew, audience: Audience) -> None:
    """Let all runs come to their end, and judge them."""
    until(lambda: not _open_tasks(stack), seconds=20 * MINUTES, what="the end of all runs")
    row.verdict.faults += _heard(stack, room, audience)
    prompts = crew.prompts()
    for run in runs:
        row.verdict.add(judge(stack, room.script, room.workspace, run, prompts=prompts))


def _steady(row: Row, meter: Meter) -> None:
    """Nothing piles up in any of our processes."""
    for part in (one for one in CORE if one in meter.samples):
        row.measure(f"{part} grows a minute", meter.slope(part, 2 * WARM), 1, "MiB")
        row.measure(f"{part}, open files more or less", abs(meter.files(part, 2 * WARM)), 5, "of them")


def _open_tasks(stack: Stack) -> int:
    return _count(stack, f"clawgroups_task WHERE {OPEN}")


def _count(stack: Stack, what: str) -> int:
    return int(stack.rows(f"SELECT count(*) FROM {what}")[0][0])


def _connections(stack: Stack) -> int:
    return _count(stack, "pg_stat_activity WHERE backend_type = 'client backend'") if isinstance(stack, Servers) else 0


class Visits(threading.Thread):
    """Somebody who looks at pages all the time, and notes how that went."""

    def __init__(self, room: Room) -> None:
        super().__init__(daemon=True)
        self._room = room
        self._over = threading.Event()
        self.answers: Counter[str] = Counter()
        self.times: list[float] = []

    def run(self) -> None:
        paths = ("/healthz", f"/api/v1/workspaces/{self._room.workspace}/snapshot")
        while not self._over.wait(0.1):
            for path in paths:
                began = time.monotonic()
                try:
                    self.answers[str(self._room.script.ask("GET", path).status)] += 1
                except (OSError, HTTPException) as fault:
                    self.answers[type(fault).__name__] += 1
                self.times.append(time.monotonic() - began)

    def end(self) -> None:
        self._over.set()
        self.join(60)


def storm(stack: Stack, size: Size, seed: int) -> Row:
    """T13: everybody's line is cut at once and comes back at once, in the middle of a run; some are on another line."""
    row = Row("T13", f"{size.agents} agents and {size.blows} browsers all back at once", stack.name, seed)
    with FaultProxy(stack.url) as line:

        def far(stack: Stack, room: Room) -> Crew:
            return Crew(stack, room.agents, seed=seed, work=size.work, url=line.url)

        def act(scene: Scene, row: Row) -> None:
            crowd = halves(stack, scene.room, size.blows, seed, url=line.url, name="crowd")
            near = halves(stack, scene.room, 10, seed, name="near")
            for audience in (crowd, near):
                scene.over.enter_context(watching(audience))
            visits = Visits(scene.room)
            visits.start()
            scene.reach(0.2)
            line.cut()
            time.sleep(OUTAGE)  # As long as the test says that they are away.
            healed = time.time()
            line.heal()
            _back(row, scene, crowd, healed)
            scene.followers[0].ended(scene.run, seconds=20 * MINUTES)
            visits.end()
            _unshaken(row, stack, scene, (crowd, near), visits, healed)

        scene = staged(row, stack, size, act, Stage(crew=far))
    row.measure("reassigned", released(stack, scene.room.workspace), 0, "tasks")
    return row


def _back(row: Row, scene: Scene, crowd: Audience, healed: float) -> None:
    """Measure how long the last of them was away after the line was whole again."""

    def everybody() -> bool:
        agents = {one["agent"] for one in scene.crew.lines() if one["what"] == "up" and one["at"] >= healed}
        return len(agents) == scene.size.agents and len(crowd.up(healed)) == crowd.count

    until(everybody, seconds=120, what="everybody back")
    for who, lines in (("agents", scene.crew.lines()), ("browsers", crowd.lines())):
        row.measure(f"{who} in, worst", max(one["at"] for one in lines if one["what"] == "up") - healed, 30)


def _unshaken(
    row: Row, stack: Stack, scene: Scene, audiences: Sequence[Audience], visits: Visits, healed: float
) -> None:
    """What those saw who were there all the time, and that nobody missed anything."""
    for audience in audiences:
        row.verdict.faults += _heard(stack, scene.room, audience)
    near = audiences[-1]
    row.check("nobody else was cut off", not near.downs())
    late = near.lateness(since=healed - OUTAGE, before=healed + 30)
    row.measure("p99 of those who were there", 1000 * percentile(late, 0.99), 2000, "ms")
    row.note(f"requests: {dict(visits.answers)}, p99 {1000 * percentile(visits.times, 0.99):.0f} ms")
    bad = sum(times for answer, times in visits.answers.items() if answer == "500")
    bad += sum(audience.downs().count("HTTP 500") for audience in audiences)
    row.measure("HTTP 500", bad, 0, "of them")


LOAD: dict[str, Callable[[Stack, Size, int], Row]] = {
    "T01": at_rest,
    "T02": whole_run,
    "T05": long_time,
    "T13": storm,
}
