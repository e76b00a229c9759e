"""T11: the model server answers 503, then hangs, then crawls, while a swarm works and people give goals."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

from tests.chaos.behaviour import of_run
from tests.chaos.crew import Room, furnish
from tests.chaos.history import hexed
from tests.chaos.kills import released
from tests.chaos.plans import flat
from tests.chaos.roles import ENOUGH, busy
from tests.chaos.rows import CI, FULL, Row, Size
from tests.chaos.scene import Scene, Stage, staged
from tests.chaos.stacks import Stack, running
from tests.llm.example import example_of
from tests.llm.fake_server import FakeServer
from tests.llm.flavours import Answer
from tests.stories.waiting import until

SIZES = {"T11": {FULL: Size(FULL, 300, 4000, 3, 40.0), CI: Size(CI, 6, 8, 2, 2.0)}}
# Seconds that the server is so. At full size the five minutes of reliability.md, on a clock that runs as it does.
PHASES = {
    FULL: (("503", 300.0), ("hang", 60.0), ("slow", 60.0)),
    CI: (("503", 2.0), ("hang", 2.0)),
}
QUICK = 0.1
LONGEST = 60.0  # seconds until a goal has a plan all the same
CRAWL = 8.0  # seconds a piece of four tokens: half a token per second
# How patient the server's settings say that we are with it, before any clock scale.
TIMEOUTS = {
    FULL: {"connect": 2, "first": 20, "between": 20, "total": 50},
    CI: {"connect": 1, "first": 1, "between": 1, "total": 2},
}
BUILT_IN = "built-in coordinator"
PLAN = {
    "question": "",
    "rationale": "One after the other.",
    "tasks": [
        {"key": "look", "title": "Look at it", "instructions": "Look at the sales.", "acceptance": ["It is there."]},
        {"key": "write", "title": "Write it up", "instructions": "Write what you saw.", "depends_on": ["look"]},
    ],
}
# In a test run, how many are done with a task in no time; the others are busy until all is seen.
QUICK_ONES = 2
SETTING_UP = """
from django.utils import timezone
from clawgroups.models import ModelServer
ModelServer.objects.create(
    name="fake", provider="sglang", url={url!r}, model="kimi-k2.6", timeouts={timeouts!r}, created_at=timezone.now()
)
"""
TAKING_DOWN = """
from clawgroups.models import ModelServer
ModelServer.objects.update(enabled=False)
"""


def on_time(kind: str, size: str) -> AbstractContextManager[Stack]:
    """A stack whose patience with a model is short where the test is."""
    return running(kind, **({"CLAWGROUPS_CLOCK_SCALE": str(QUICK)} if size == CI else {}))


def says(body: dict[str, Any]) -> Answer:
    """A plan where one is asked for, else whatever fits."""
    asked = (body.get("response_format") or {}).get("json_schema") or {}
    return Answer(json.dumps(PLAN)) if asked.get("name") == "plan" else example_of(body)


def behave(server: FakeServer, mode: str) -> None:
    """Switch the server over HTTP, as whoever runs it beside a real stack does."""
    said = json.dumps({"mode": mode, "seconds": CRAWL}).encode()
    address = urlsplit(server.url)
    request = urllib.request.Request(f"http://{address.netloc}/behave", data=said, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


def planned(stack: Stack, room: Room, *, seconds: float) -> tuple[str, str]:
    """Give a goal and wait for its plan; who made it, and why it was not the model."""
    path = f"/api/v1/workspaces/{room.workspace}/runs"
    run = hexed(str(room.script.post(path, {"goal": "Write a short report on the sales."})["id"]))

    def made() -> tuple[str, str] | None:
        rows = stack.rows(
            "SELECT planner, fallback FROM clawgroups_run "
            f"WHERE state = 'proposed' AND replace(CAST(id AS text), '-', '') = '{run}'"
        )
        return (rows[0][0], rows[0][1]) if rows else None

    found = until(made, seconds=seconds, what="a plan")
    assert found is not None
    return found


def model_away(stack: Stack, size: Size, seed: int) -> Row:
    """T11: nobody's work is burned, everybody sees that the model rests, and planning resumes when it is well."""
    row = Row("T11", "the model answers 503, hangs, crawls", stack.name, seed)

    def act(scene: Scene, row: Row) -> None:
        scene.reach(max(0.02, 1 / size.tasks))
        row.check("the model plans at first", planned(stack, room, seconds=60)[0] != BUILT_IN)
        for mode, seconds in PHASES[size.name]:
            behave(server, mode)
            _phase(stack, room, scene, row, (mode, seconds))
        row.check("there was work all the time", not scene.ended())
        behave(server, "ok")
        began = time.monotonic()
        until(lambda: planned(stack, room, seconds=60)[0] != BUILT_IN, seconds=120, what="a plan by the model")
        row.measure("planning resumes after", time.monotonic() - began, 10)
        row.check("the server is asked again", _breakers(stack) == ["closed"])
        scene.crew.cue(ENOUGH)

    with FakeServer("sglang", says) as server:
        # Beside the run, as what is only proposed is in no journal, and the run is judged by its workspace's.
        room = furnish(stack, 1)
        stack.manage("shell", "-c", SETTING_UP.format(url=server.url, timeouts=TIMEOUTS[size.name]))
        try:
            scene = staged(row, stack, size, act, _stage(size, seed))
        finally:
            # Whatever else is played on this stack has no model.
            stack.manage("shell", "-c", TAKING_DOWN)
    _nothing_burned(stack, scene, row)
    return row


def _stage(size: Size, seed: int) -> Stage:
    """In a test run few tasks take as long as the test does, however slow its machine is."""
    timers = {"lost_contact": 1200.0, "grace": 1200.0}
    if size.name == FULL:
        return Stage(timers=timers)
    roles = {f"agent-{number}": busy.__name__ for number in range(QUICK_ONES, size.agents)}
    return Stage(plan=flat(size.tasks, seed), roles=roles, alike=True, timers=timers)


def _phase(stack: Stack, room: Room, scene: Scene, row: Row, away: tuple[str, float]) -> None:
    """One way of being away: the swarm works on, a goal is planned all the same, and people can see why."""
    mode, seconds = away
    began = time.monotonic()
    over = began + seconds
    planner, why = planned(stack, room, seconds=120 + seconds)
    row.measure(f"planned without it ({mode})", time.monotonic() - began, LONGEST)
    row.check(f"the built-in coordinator stands in and says so ({mode})", planner == BUILT_IN and bool(why))
    row.measure(f"work goes on ({mode})", scene.moves_again(60), 15)
    seen = False
    while time.monotonic() < over:
        seen = seen or "closed" not in _breakers(stack)
        time.sleep(0.2)  # As long as the test says that it is away.
    row.check(f"the breaker is seen ({mode})", seen or "closed" not in _breakers(stack))


def _breakers(stack: Stack) -> list[str]:
    return [state for (state,) in stack.rows("SELECT breaker FROM clawgroups_modelserver WHERE enabled")]


def _nothing_burned(stack: Stack, scene: Scene, row: Row) -> None:
    row.measure("attempts burned", released(stack, scene.room.workspace), 0, "of them")
    tries = stack.rows(f"SELECT max(t.tries) FROM clawgroups_task t WHERE {of_run(scene.run)}")[0][0]
    row.measure("tries of a task, most", tries, 1, "of them")
    barred = {hexed(str(pk)) for (pk,) in stack.rows("SELECT id FROM agents_agent WHERE breaker <> 'closed'")}
    mine = [one for one in scene.room.agents if hexed(one["id"]) in barred]
    row.measure("agents that got no work", len(mine), 0, "of them")


MODEL: dict[str, Callable[[Stack, Size, int], Row]] = {"T11": model_away}
