"""A sub-agent without a network: a script in the model's place, a clock that the test moves, and what the team sees."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.builtin.turn import Turn
from agents.llm.base import Endpoint, Message, Prices, Reply, Request, ToolCall, Usage
from agents.llm.scripted import Said, Scripted
from agents.swarm.desk import FINISH
from agents.swarm.engine import Engine
from agents.swarm.learning import Prompt, read_prompt
from agents.swarm.limits import Limits
from agents.swarm.tally import Tally, Used
from agents.swarm.toolbox import Toolbox
from agents.swarm.worker import Stop, SubAgent

Json = dict[str, Any]
ENDPOINT = Endpoint("sglang", "http://127.0.0.1:1/v1", "kimi-k2.6", prices=Prices(0.95, 0.16, 4.0))
_numbers = itertools.count()


class Clock:
    """Stands still until it is moved; whoever sleeps moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Team:
    """What the workspace is sent."""

    def __init__(self) -> None:
        self.updates: list[Any] = []

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        self.updates.append(update)

    def said(self) -> str:
        return "".join(one.content.text for one in self.updates if one.session_update == "agent_message_chunk")

    def steps(self) -> list[str]:
        return [one.title for one in self.updates if one.session_update == "tool_call"]

    def notes(self) -> str:
        ended = [one for one in self.updates if one.session_update == "tool_call_update"]
        return "\n".join(part.content.text for one in ended for part in one.content or ())


def calls(*wanted: tuple[str, Mapping[str, Any]], text: str = "", prompt: int = 0) -> Reply:
    """An answer that calls these tools."""
    made = tuple(ToolCall(f"call-{next(_numbers)}", name, json.dumps(given)) for name, given in wanted)
    return Reply(text, calls=made, finish="tool_calls", usage=Usage(prompt=prompt, completion=20))


def finish(result: str = "It is written.", *files: str) -> Reply:
    return calls((FINISH, {"result": result, "files": list(files)}))


def work(text: str = "Write the report.", **task: Any) -> Prompt:
    """The prompt of a work turn, as the server words it."""
    told = {"id": "t-1", "title": "Report", "instructions": text, "acceptance": ["It names its sources."], **task}
    return read_prompt(f"# Task: Report\n\n## What to do\n{text}", {"turn": "work", "task": told})


def steer(said: str, sender: str = "Ada") -> Prompt:
    """What a person says to a session in the middle of its task."""
    task = {
        "id": "t-1",
        "title": "Report",
        "instructions": "Write the report.",
        "acceptance": ["It names its sources."],
    }
    return read_prompt(f"{sender} asks:\n> {said}", {"turn": "steer", "said": said, "from": sender, "task": task})


@dataclass
class Play:
    """One sub-agent on its stage."""

    folder: Path
    script: Iterable[Said] | Callable[[Request], Said]
    limits: Limits = field(default_factory=Limits)
    toolbox: Toolbox | None = None
    clock: Clock = field(default_factory=Clock)
    team: Team = field(default_factory=Team)
    used: list[Used] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.model = Scripted(self.script)
        tally = Tally(ENDPOINT.prices, also=self.used.append)
        self.engine = Engine(
            ENDPOINT, self.limits, tally=tally, ask=self.model, clock=self.clock, sleep=self.clock.sleep
        )
        self.worker = SubAgent(self.engine, self.folder.name, self.folder, self.toolbox)

    async def turn(self, prompt: Prompt | None = None) -> Stop:
        return await self.worker.take(self.new_turn(), prompt or work())

    def new_turn(self) -> Turn:
        return Turn(self.team, "s-1", self.folder, 0.0)

    def asked(self) -> list[tuple[Message, ...]]:
        """The messages of every question, oldest first."""
        return [request.messages for request in self.model.asked]
