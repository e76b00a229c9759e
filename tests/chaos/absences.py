"""Who goes away, for how much of what happens, and comes back: the schedules of T19, for whoever can do both."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.chaos.crew import Room, furnish
from tests.chaos.history import Verdict
from tests.chaos.plans import flat
from tests.chaos.processes import ROOT, python
from tests.chaos.rows import Size
from tests.chaos.stacks import LONGEST, Servers, Stack
from tests.stories.waiting import until

RESTORED = -1
GAPS = (0, 1, 10, 1_000, 6_000, RESTORED)
"""How many entries are made while somebody is away; or the workspace is restored from a backup."""
SECONDS = 2.0
"""Within this time everybody who is back must have everything."""
PATIENCE = 15.0
"""So long is waited for those who are late, in order to say how late."""
MEANWHILE = 30
RESTING = 20
Truth = Any
"""What somebody who follows the workspace must have."""


class Traveller(Protocol):
    """Somebody who follows a workspace and can be cut off from it."""

    def leave(self, dice: random.Random) -> None:
        """Be away, in one of the ways in which one can be."""

    def back(self) -> None:
        """Be reachable again."""

    def catch_up(self, truth: Truth, seconds: float) -> None:
        """Wait until it has this, at most for so long."""

    def judge(self, truth: Truth) -> Verdict:
        """Everything that is wrong with what it has now, where this is what it must have."""


class Events:
    """The process that makes things happen, on the stack's own database and Redis. Use it as a context manager."""

    def __init__(self, stack: Stack, room: Room, seed: int) -> None:
        self._stack, self._room = stack, room
        self._process = subprocess.Popen(
            python("-m", "tests.chaos.events", room.workspace, str(seed)),
            cwd=ROOT,
            env={**stack.environment, "DJANGO_SETTINGS_MODULE": "clawgroups.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.made = 0

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=PATIENCE)

    def write(self, count: int) -> int:
        """Entries of all kinds; the journal's head."""
        self.made += count
        return self._ask("write", count)

    def restored(self, dice: random.Random) -> None:
        """What came since the last backup is lost: the server is stopped, the rows are set back, it starts again."""
        backup = self._ask("write", 0)
        self._ask("say", dice.choice((1, 40)))
        if isinstance(self._stack, Servers):
            self._stack.stop("web")
        else:
            self._stack.kill("web")
        self._ask("restore", backup)
        # As many as were lost, fewer or more: a number alone does not tell a client that it heard others.
        self.write(dice.choice((0, 20, 80)))
        self._stack.back("web")
        self._room.script.reachable(seconds=LONGEST)

    def _ask(self, verb: str, number: int) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([verb, number]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the process that makes things happen has ended: {self._process.wait(PATIENCE)}"
        return int(json.loads(answer)["head"])


@contextmanager
def eventful(stack: Stack, size: Size, seed: int) -> Iterator[tuple[Room, Events, str]]:
    """A workspace with agents and a run whose tasks nobody but a person moves, and what makes things happen in it."""
    room = furnish(stack, size.agents)
    run = room.start_run(flat(size.tasks, seed))
    path = f"/api/v1/runs/{run}"
    until(lambda: room.script.get(path)["state"] == "running", seconds=PATIENCE, what="a run that is started")
    room.script.post(f"{path}/pause")
    with Events(stack, room, seed) as events:
        heads: deque[int] = deque(maxlen=RESTING)
        until(lambda: _rests(heads, events), seconds=PATIENCE, what="a journal that rests")
        yield room, events, run


def _rests(heads: deque[int], events: Events) -> bool:
    """Whether the coordinator has nothing to say any more."""
    heads.append(events.write(0))
    return heads.count(heads[-1]) == RESTING


@dataclass
class Trips:
    """Travellers go away and come back. `look`: what everybody must have, at this moment.

    Found: how often who was away for which gap, how long it took those that came back, and what was wrong.
    """

    events: Events
    look: Callable[[], Truth]
    dice: random.Random
    absences: Counter[int] = field(default_factory=Counter)
    took: list[tuple[float, int]] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)

    def make(self, travellers: Sequence[Traveller], count: int) -> None:
        """So many absences: of each gap about as many, in any order, of everybody at the same time."""
        first = self.dice.randrange(len(GAPS))
        deck = [GAPS[(first + number) % len(GAPS)] for number in range(count)]
        self.dice.shuffle(deck)
        for begin in range(0, count, len(travellers)):
            gaps = deck[begin : begin + len(travellers)]
            self._round(dict(zip(travellers, gaps, strict=False)), travellers)

    def _round(self, gaps: dict[Traveller, int], everybody: Sequence[Traveller]) -> None:
        for one in gaps:
            one.leave(self.dice)
        made = 0
        for gap in sorted(set(gaps.values()) - {RESTORED}):
            self.events.write(gap - made)
            made = gap
            self._return([one for one, its in gaps.items() if its == gap], gap)
        if RESTORED in gaps.values():
            self.events.restored(self.dice)
            # Those who were there have lost their line, too, and what they heard last.
            self._return(everybody, RESTORED)
        self.absences.update(gaps.values())

    def _return(self, travellers: Sequence[Traveller], gap: int) -> None:
        """They come back, some of them while more happens, and must have everything in time."""
        busy = self.dice.random() < 0.3
        truth, began = self.look(), time.monotonic()
        for one in travellers:
            one.back()
        if busy:
            self.events.write(MEANWHILE)
            truth, began = self.look(), time.monotonic()
        for one in travellers:
            left = began + SECONDS + PATIENCE - time.monotonic()
            one.catch_up(truth, max(left, 0.1))
            self.took.append((time.monotonic() - began, gap))
            self.verdict.add(one.judge(truth))

    def worst(self) -> dict[int, float]:
        """The longest time that one took to be in step again, by gap."""
        return {gap: max(took for took, its in self.took if its == gap) for gap in sorted({g for _, g in self.took})}
