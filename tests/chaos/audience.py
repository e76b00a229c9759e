"""Those who watch a run on a stack: many browsers in a process of their own, and how late they heard what."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.chaos.crew import Room
from tests.chaos.history import head_of, moments
from tests.chaos.processes import Process, python
from tests.chaos.stacks import Stack
from tests.stories.waiting import until

Json = dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """What one browser heard: frames as (after, seq, seconds since 1970)."""

    kind: str
    frames: list[tuple[int, int, float]]

    def torn(self) -> int:
        """How many frames do not begin where the one before ended: something was lost, or came twice.

        Of a page nobody can tell: its frames name their end only.
        """
        pairs = zip(self.frames, self.frames[1:], strict=False)
        return sum(1 for (_, seq, _), (after, _, _) in pairs if after != seq)


class Audience:
    """So many clients of the journal socket and of the pages' socket, on one workspace from now on."""

    def __init__(
        self, stack: Stack, room: Room, *, journals: int, pages: int, seed: int, url: str = "", name: str = "audience"
    ) -> None:
        self._stack, self._room, self.count = stack, room, journals + pages
        name = f"{name}-{room.workspace[-8:]}"
        self.diary = stack.data / f"{name}.jsonl"
        self.after = head_of(stack, room.workspace)
        config = {
            "url": url or stack.url, "token": room.script.token, "workspace": room.workspace, "after": self.after,
            "seed": seed, "journals": journals, "pages": pages, "diary": str(self.diary),
        }  # fmt: skip
        file = stack.data / f"{name}.json"
        file.write_text(json.dumps(config))
        command = python("-m", "tests.chaos.watchers", str(file))
        self._process = Process(name, command, stack.environment, file.with_suffix(".log"))

    def start(self) -> None:
        self._process.start()
        until(lambda: len(self.up()) == self.count, seconds=60, what=f"{self.count} browsers")

    def hears_up_to(self, head: int, *, seconds: float) -> None:
        """Wait until all have heard up to there, or for so long: `caught_up` says who has not."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if any(one["what"] == "all at" and one["seq"] >= head for one in self.lines()):
                return
            time.sleep(0.2)

    def stop(self) -> None:
        """Let them say what they heard."""
        self._process.stop()

    def lines(self) -> list[Json]:
        text = self.diary.read_text() if self.diary.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def up(self, since: float = 0.0) -> set[int]:
        """Who has come in since then."""
        return {line["browser"] for line in self.lines() if line["what"] == "up" and line["at"] >= since}

    def downs(self) -> list[str]:
        """Why they were cut off, each time."""
        return [line["why"] for line in self.lines() if line["what"] == "down"]

    @cached_property
    def heard(self) -> list[Heard]:
        """What each heard; once they have stopped."""
        found = [Heard(line["kind"], line["frames"]) for line in self.lines() if line["what"] == "heard"]
        assert len(found) == self.count, self._process.said()[-2000:]
        return found

    def caught_up(self, head: int) -> list[str]:
        """What is wrong with what they heard: all must be at `head`, those at the journal with each entry once."""
        faults = [f"{one.torn()} frames of a {one.kind} do not follow each other" for one in self.heard if one.torn()]
        ends = [one.frames[-1][1] if one.frames else self.after for one in self.heard]
        return faults + [f"a browser ended at {end} of {head}" for end in ends if end < head]

    def lateness(self, since: float = 0.0, before: float = math.inf) -> list[float]:
        """Seconds from each entry's moment in the journal to its arrival, for each browser, of what is of that time."""
        written = moments(self._stack, self._room.workspace)
        return [
            at - written[seq]
            for one in self.heard
            for after, end, at in one.frames
            for seq in range(after + 1, end + 1)
            if since <= written[seq] < before
        ]


@contextlib.contextmanager
def watching(audience: Audience) -> Iterator[Audience]:
    """Browsers that are in, and have said what they heard afterwards."""
    audience.start()
    try:
        yield audience
    finally:
        audience.stop()
