"""T19: whoever was away, for whatever happened meanwhile, has everything once, two seconds after the return."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from contextlib import ExitStack

from websockets.sync.client import ClientConnection

from clawgroups.core.fold import digest, fold
from tests.chaos import offline_pages
from tests.chaos.absences import GAPS, RESTORED, SECONDS, Trips, eventful
from tests.chaos.faults import FaultProxy
from tests.chaos.history import Verdict
from tests.chaos.rows import CI, FULL, Row, Size
from tests.chaos.stacks import Stack
from tests.stories.script import Follower, Json, Script
from tests.stories.waiting import Heard

# `blows` are the absences of clients; so many of them are away at once. Pages are away so often: in a test run not at
# all, as a browser takes longer to start than everything else.
SIZES = {"T19": {FULL: Size(FULL, 12, 24, 200, 0.0), CI: Size(CI, 4, 6, 6, 0.0)}}
CLIENTS = {FULL: 10, CI: 3}
PAGES = {FULL: 20, CI: 0}


class Client(Follower):
    """A client of the journal socket that holds the folded state, where it is, and nothing else.

    It begins with a snapshot. Whatever then comes must follow on what it has, or be another snapshot.
    """

    def __init__(self, script: Script, workspace: str) -> None:
        told = script.get(f"/api/v1/workspaces/{workspace}/snapshot")
        self._state: Json = told["state"]
        self._seq = int(told["seq"])
        self.faults: list[str] = []
        self._places: Heard[tuple[int, int]] = Heard("a client")
        self._places.add((told["generation"], self._seq))
        super().__init__(script, workspace, generation=told["generation"], after=self._seq)

    @property
    def last(self) -> int:
        return self._seq

    @property
    def hash(self) -> str:
        return digest(self._state)

    def arrives(self, generation: int, seq: int, *, seconds: float) -> None:
        """Wait until it is there, or further, or the time is over."""
        with contextlib.suppress(AssertionError):
            self._places.until(lambda place: place >= (generation, seq), seconds=seconds)

    def _take(self, line: ClientConnection, frame: Json) -> None:
        if frame["type"] == "snapshot":
            self.generation, self._seq, self._state = frame["generation"], frame["seq"], frame["state"]
            if self.hash != frame["hash"]:
                self.faults.append(f"the snapshot at {self._seq} is not what its hash says")
        elif frame["type"] == "entries":
            seqs = [entry["seq"] for entry in frame["entries"]]
            if frame["generation"] != self.generation or seqs != list(range(self._seq + 1, frame["seq"] + 1)):
                self.faults.append(
                    f"at {self.generation}/{self._seq} came {frame['generation']}/{seqs[:1]}-{seqs[-1:]}"
                )
            self._state, self._seq = fold(self._state, frame["entries"]), frame["seq"]
            line.send(json.dumps({"type": "ack", "seq": self._seq}))
        else:
            return
        self._places.add((self.generation, self._seq))


class Wanderer:
    """A client behind a line of its own."""

    def __init__(self, stack: Stack, script: Script, workspace: str, over: ExitStack) -> None:
        self._line = over.enter_context(FaultProxy(stack.url))
        self._client = Client(Script(self._line.url, script.token), workspace)
        over.enter_context(self._client)

    def leave(self, dice: random.Random) -> None:
        """It hangs up, or the line is cut, or the cable is pulled out and nobody is told."""
        dice.choice((self._client.cut, self._line.cut, self._line.pull))()

    def back(self) -> None:
        self._line.heal()
        self._client.back()

    def catch_up(self, truth: Json, seconds: float) -> None:
        self._client.arrives(truth["generation"], truth["seq"], seconds=seconds)

    def judge(self, truth: Json) -> Verdict:
        faults, self._client.faults = self._client.faults, []
        if self._client.hash != truth["hash"]:
            faults.append(f"what a client has at {self._client.last} is not what is there at {truth['seq']}")
        return Verdict(faults=faults)


def away(stack: Stack, size: Size, seed: int) -> Row:
    """T19: clients and pages are away for gaps of every length, also while a backup is restored."""
    row = Row("T19", f"away for {', '.join(map(str, GAPS[:-1]))} events, or a restore", stack.name, seed)
    with eventful(stack, size, seed) as (room, events, run), ExitStack() as over:
        path = f"/api/v1/workspaces/{room.workspace}/snapshot"
        wanderers = [Wanderer(stack, room.script, room.workspace, over) for _ in range(CLIENTS[size.name])]
        trips = Trips(events, lambda: room.script.get(path), random.Random(seed))
        trips.make(wanderers, size.blows)
        told(row, "client", trips)
        over.pop_all().close()
        if count := PAGES[size.name]:
            told(row, "page", offline_pages.away(stack, room, run, events, count=count, seed=seed))
        row.note(f"{events.made} events")
    return row


def told(row: Row, who: str, trips: Trips) -> None:
    """What the trips found, in the row."""
    row.verdict.add(trips.verdict)
    late = sum(1 for took, _ in trips.took if took > SECONDS)
    row.measure(f"{who}s not in step in time", late, 0, f"of {sum(trips.absences.values())}")
    worst = trips.worst()
    row.measure(f"{who} in step again, worst", max(worst.values()), SECONDS)
    row.note(", ".join(f"{'restore' if gap == RESTORED else gap}: {took:.2f} s" for gap, took in worst.items()))


OFFLINE: dict[str, Callable[[Stack, Size, int], Row]] = {"T19": away}
