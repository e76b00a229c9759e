"""The swarm beside a stack: its processes, its diary, and the run that it works on."""

from __future__ import annotations

import contextlib
import json
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.processes import Process, python
from tests.chaos.stacks import Stack
from tests.stories.script import Script
from tests.stories.waiting import until

Json = dict[str, Any]


@dataclass
class Room:
    """A workspace with registered agents, and its owner's script."""

    workspace: str
    agents: list[Json]
    script: Script

    def start_run(self, plan: Sequence[Json]) -> str:
        """Give this plan and start it; the run."""
        path = f"/api/v1/workspaces/{self.workspace}/runs"
        return str(self.script.post(path, {"goal": "Lose nothing", "plan": [*plan], "start": True})["id"])

    def set_timers(self, timers: Mapping[str, float]) -> None:
        """The workspace's own deadlines, in seconds before the clock scale."""
        told = self.script.send("PATCH", f"/api/v1/workspaces/{self.workspace}", {"timers": dict(timers)})
        assert told.status == 200, told.bytes


def furnish(
    stack: Stack, count: int, *, alike: bool = False, timers: Mapping[str, float] | None = None, second: bool = False
) -> Room:
    """A new workspace with `count` agents on this stack; see `scene.Stage`."""
    told = f"from tests.chaos.seed import say; say({count}, alike={alike}, second={second})"
    made = json.loads(stack.manage("shell", "-c", told).splitlines()[-1])
    room = Room(made["workspace"], made["agents"], Script(stack.url, made["token"]))
    if timers:
        room.set_timers(timers)
    return room


class Crew:
    """The processes of a swarm: agents in their roles, spread over `processes`.

    `scale` stretches the waits of their connectors; without it the stack's clock does, down to a fifth.
    """

    def __init__(
        self,
        stack: Stack,
        agents: Sequence[Json],
        *,
        seed: int,
        work: float,
        roles: Mapping[str, str] | None = None,
        processes: int = 1,
        url: str = "",
        scale: float = 0.0,
    ) -> None:
        self.diary = stack.data / f"diary-{agents[0]['id'][-8:]}.jsonl"
        scale = scale or max(float(stack.environment.get("CLAWGROUPS_CLOCK_SCALE", "1")), 0.2)
        self.processes = []
        self._count = len(agents)
        for number in range(processes):
            share = [
                {"name": one["name"], "key": one["key"], "role": (roles or {}).get(one["name"], "obedient")}
                for one in agents[number::processes]
            ]
            config = {
                "url": url or stack.url, "seed": seed, "work": work, "scale": scale,
                "diary": str(self.diary), "agents": share,
            }  # fmt: skip
            file = stack.data / f"swarm-{agents[0]['id'][-8:]}-{number}.json"
            file.write_text(json.dumps(config))
            self.processes.append(
                Process(
                    "swarm", python("-m", "tests.chaos.swarm", str(file)), stack.environment, file.with_suffix(".log")
                )
            )

    def start(self) -> None:
        for process in self.processes:
            process.start()
        until(lambda: len(self.up()) == self._count, seconds=90, what=f"{self._count} agents online")

    def stop(self) -> None:
        for process in self.processes:
            process.stop()

    # The diary

    def lines(self) -> list[Json]:
        """Everything noted so far; a line that is just being written is left for later."""
        if not self.diary.exists():
            return []
        text = self.diary.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def up(self, since: float = 0.0) -> set[str]:
        """Who came in since then, at least once."""
        return {line["agent"] for line in self.lines() if line["what"] == "up" and line["at"] >= since}

    def freeze(self) -> None:
        """Stop all of them where they are, as a machine that sleeps does."""
        for process in self.processes:
            process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        for process in self.processes:
            process.signal(signal.SIGCONT)

    def cue(self, what: str) -> None:
        """Let those go on who wait for this."""
        self.diary.with_suffix(f".{what}").touch()

    # What they noted

    def said(self, words: str) -> list[Json]:
        """What their connectors told the person at the machine and that holds these words."""
        return [line for line in self.lines() if line["what"] == "said" and words in line["text"]]

    def prompts(self) -> Counter[str]:
        """How often each task was really begun by an agent."""
        return Counter(line["task"] for line in self.lines() if line["what"] == "prompt" and line["turn"] == "work")

    def absences(self, after: float = 0) -> list[float]:
        """For each time that an agent lost its socket: how many seconds until it was back."""
        return [back - gone for gone, back in self.away(after)]

    def away(self, after: float = 0) -> list[tuple[float, float]]:
        """For each time that an agent lost its socket: when, and when it was back, in seconds since 1970."""
        gone: dict[str, float] = {}
        found = []
        for line in self.lines():
            if line["what"] == "down" and line["at"] >= after:
                gone.setdefault(line["agent"], line["at"])
            elif line["what"] == "up" and line["agent"] in gone:
                found.append((gone.pop(line["agent"]), line["at"]))
        return found


@contextlib.contextmanager
def working(crew: Crew) -> Iterator[Crew]:
    """A swarm that is online, gone afterwards."""
    try:
        crew.start()
        yield crew
    finally:
        crew.stop()
