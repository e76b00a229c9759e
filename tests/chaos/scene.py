"""A run under way on a stack, with its agents and those who watch: set up, disturbed by a test, and judged."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.crew import Crew, Room, furnish, working
from tests.chaos.history import head_of, judge, open_without_deadline
from tests.chaos.plans import layered
from tests.chaos.rows import Row, Size
from tests.chaos.stacks import Stack
from tests.stories.script import Follower
from tests.stories.waiting import until

MINUTES = 60.0
Json = dict[str, Any]


@dataclass
class Scene:
    """A run under way on a stack, with its swarm and those who watch."""

    stack: Stack
    room: Room
    crew: Crew
    followers: list[Follower]
    run: str
    dice: random.Random
    size: Size
    over: ExitStack
    silent: list[str] = field(default_factory=list)

    def comes(self, crew: Crew) -> None:
        """More agents, who stay until all is judged."""
        self.over.enter_context(working(crew))

    def done(self) -> int:
        """How many tasks are done, as the first client has heard."""
        return sum(1 for entry in self.followers[0].entries.all() if entry["type"] == "task.done")

    def reach(self, share: float) -> None:
        """Wait until this share of the tasks is done."""
        wanted = int(self.size.tasks * share)
        until(lambda: self.done() >= wanted, seconds=20 * MINUTES, what=f"{wanted} tasks done")

    def moves_again(self, seconds: float) -> float:
        """Seconds until the database shows that something moved on; 0 once there is nothing left to do.

        Right after a blow is also when something open could wait without saying for what.
        """
        self.silent += open_without_deadline(self.stack, self.room.workspace)
        began, before = time.monotonic(), self.moved()
        until(lambda: self.moved() > before or self.ended(), seconds=seconds, what="a task that moves on")
        return time.monotonic() - began

    def moved(self) -> int:
        return head_of(self.stack, self.room.workspace)

    def ended(self) -> bool:
        return any(entry["type"] == "run.done" for entry in self.followers[0].entries.all())

    def finish(self, row: Row, *, repeated: bool = True) -> Row:
        """Wait for the end of the run and judge it."""
        began = time.monotonic()
        state = self.followers[0].ended(self.run, seconds=20 * MINUTES)
        row.check("the run is done", state == "done")
        row.note(f"{self.size.tasks} tasks, {self.size.agents} agents")
        prompts = self.crew.prompts() if repeated else None
        found = judge(
            self.stack, self.room.script, self.room.workspace, self.run, prompts=prompts, followers=self.followers
        )
        # To what was found meanwhile, or in a run before.
        row.verdict.add(found)
        row.verdict.faults += self.silent
        row.note(f"judged in {time.monotonic() - began:.0f} s")
        return row


@dataclass(frozen=True)
class Stage:
    """What a run begins with. `roles`: how agents behave, by name; those that are not named obey.

    `alike`: every agent can do every task. `timers`: the workspace's own deadlines, in seconds before the clock scale.
    `crew`: who is there at the start, where that is not everybody in one process. `again`: agents are meant to fail,
    so that their work is rightly done again. `second`: there is a second person, "second".
    """

    plan: Sequence[Json] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    alike: bool = False
    timers: Mapping[str, float] = field(default_factory=dict)
    crew: Callable[[Stack, Room], Crew] | None = None
    again: bool = False
    second: bool = False


def staged(row: Row, stack: Stack, size: Size, act: Callable[[Scene, Row], None], stage: Stage | None = None) -> Scene:
    """Set a scene, let `act` do its worst, and judge what became of the run in `row`."""
    stage = stage or Stage()
    room = furnish(stack, size.agents, alike=stage.alike, timers=stage.timers, second=stage.second)
    began = time.monotonic()
    with ExitStack() as over:
        everybody = Crew(stack, room.agents, seed=row.seed, work=size.work, roles=stage.roles)
        crew = over.enter_context(working(stage.crew(stack, room) if stage.crew else everybody))
        followers = [over.enter_context(Follower(room.script, room.workspace)) for _ in range(2)]
        run = room.start_run(stage.plan or layered(size.tasks, row.seed))
        scene = Scene(stack, room, crew, followers, run, random.Random(row.seed), size, over)
        act(scene, row)
        scene.finish(row, repeated=not stage.again)
        row.note(f"{time.monotonic() - began:.0f} s in all")
    return scene
