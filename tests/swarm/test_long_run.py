"""Thirteen hours of sub-agents, on a clock that the test moves: all are renewed, and none forgets anything.

Each question to the model is looked at: the rules as they stand, the acceptance lines, all that people have said, what
is open and what was made must stand in it, whatever was summed up, and however badly.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from agents.llm.base import Message, Reply, Request, Usage
from agents.swarm.handover import SCHEMA
from agents.swarm.limits import Limits
from agents.swarm.toolbox import Toolbox
from tests.swarm.model import Forgetful, summed_up
from tests.swarm.play import Play, calls, steer, work

HOURS = 13
SESSIONS = int(os.environ.get("CLAW_LONG_SESSIONS", "3"))
STEP = 60.0  # seconds that a step takes
PER_TURN = 60
LIMITS = Limits(
    steps=200, tokens=10**9, seconds=3 * 3600.0, window=60_000, output=2000, full=12_000, keep=2000, rooms=6
)
WORDS = "Of what was looked at, this was new, and it was written down with its source. " * 30


class Rules:
    """The workspace's rules over MCP; they change by the hour."""

    def __init__(self) -> None:
        self.text = "Every figure names its source."

    def post(self, body: bytes, _headers: dict[str, str]) -> tuple[int, bytes]:
        if json.loads(body)["method"] == "tools/list":
            tools = [
                {"name": "read_rules", "description": "Rules.", "inputSchema": {"type": "object", "properties": {}}}
            ]
            result: dict[str, Any] = {"tools": tools}
        else:
            result = {"content": [{"type": "text", "text": json.dumps({"rules": self.text})}]}
        return 200, json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


class Life:
    """One sub-agent through its thirteen hours, and what it must know at any time."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rules, self.told, self.open = Rules(), list[str](), list[str]()
        self.bad = Forgetful(seed)
        self.steps = self.forgot = self.in_turn = 0
        self.missing: list[str] = []
        self.steering = False
        self.born: list[float] = []
        self.play = Play(folder, self.answer, limits=LIMITS, toolbox=Toolbox(self.rules.post))

    def answer(self, request: Request) -> Any:
        if request.schema is SCHEMA:
            return self.sum_up(request)
        if self.steering:
            return Reply("Understood.", usage=Usage(prompt=1))
        self.look(request)
        self.play.clock.now += STEP
        return self.act(sum(_length(message) for message in request.messages) // 4)

    def sum_up(self, request: Request) -> Any:
        said = summed_up(request)
        is_bad = self.bad.dice.random() < 0.3
        self.forgot += is_bad
        return self.bad.spoiled(said) if is_bad else said

    def look(self, request: Request) -> None:
        shown = "\n".join(f"{m.text} {[call.arguments for call in m.calls]}" for m in request.messages)
        must = [*self.rules.text.splitlines(), "It names its sources.", "At most 500 words.", *self.told, *self.open]
        must += [f"part-{self.steps}.md"] if self.steps else []
        self.missing += [f"step {self.steps}: {one}" for one in must if one not in shown]
        generation = self.play.worker.talk.generation
        while len(self.born) < generation:
            self.born.append(self.play.clock.now)

    def act(self, size: int) -> Reply:
        self.in_turn += 1
        if self.in_turn > PER_TURN:
            return calls(("finish", {"result": "So far.", "files": [f"part-{self.steps}.md"]}), prompt=size)
        if self.in_turn in (5, PER_TURN - 5):
            self.open = [f"Ask about part {self.steps}."] if self.in_turn == 5 else []
            return calls(("set_open_points", {"points": self.open}), prompt=size)
        self.steps += 1
        return calls(("write_file", {"name": f"part-{self.steps}.md", "text": f"{self.steps}. {WORDS}"}), prompt=size)

    async def live(self) -> None:
        """Turn after turn; before each a person says something, or the rules change."""
        hour = 0
        while self.play.clock.now < HOURS * 3600:
            hour += 1
            self.in_turn = 0
            if hour % 3 == 0:
                self.rules.text += f"\nRule of hour {hour}: at most {hour} tables."
            reason = f"Hour {hour}: leave out what Nordwind-{hour} said."
            stop = await self.play.turn(
                work(acceptance=["It names its sources.", "At most 500 words."], feedback=[reason])
            )
            assert stop == "end_turn"
            self.told.append(reason)
            self.in_turn = 0
            await self.steered(f"Call the customer K-{hour}, never by name.")

    async def steered(self, word: str) -> None:
        self.steering = True
        await self.play.turn(steer(word))
        self.steering = False
        self.told.append(f"Ada: {word}")


def _length(message: Message) -> int:
    return len(message.text) + sum(len(call.arguments) for call in message.calls)


async def test_thirteen_hours_renew_every_session_and_lose_nothing(tmp_path: Path) -> None:
    for seed in range(SESSIONS):
        life = Life(tmp_path / str(seed), seed)
        await life.live()
        used = life.play.used
        assert life.missing == []
        assert life.steps >= 12 * (PER_TURN - 2)
        assert sum(one.renewals for one in used) >= 5
        assert sum(one.rooms + one.renewals for one in used) >= 12
        assert sum(one.refused for one in used) == life.forgot > 0
        ages = [after - before for before, after in zip(life.born, [*life.born[1:], life.play.clock.now], strict=True)]
        assert max(ages) <= LIMITS.age_seconds + 2 * STEP
        texts = life.play.team.notes()
        assert len(re.findall("A summary was refused", texts)) == life.forgot
