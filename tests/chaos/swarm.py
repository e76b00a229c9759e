"""`python -m tests.chaos.swarm CONFIG.json`: many fake agents in one process, each over the real connector.

The configuration is {"url", "seed", "work", "scale", "diary", "agents": [{"name", "key", "role"}]}. Whatever
an agent lives through is a line of the diary: JSON with the moment, the agent, what happened, and of which task.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from agents.connector.bridge import Bridge, Settings
from agents.connector.inprocess import InProcessChild
from tests.chaos.asking import ASKING
from tests.chaos.roles import DUPLICATOR, ROLES

Json = dict[str, Any]
CUE = 0.1  # seconds between two looks whether the test has said so
WINDOW = 4  # times the usual work: in so many seconds a duplicator's words come out of order


class Diary:
    """What the agents lived through, a line each, on disk at once."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def note(self, agent: str, what: str, **more: Any) -> None:
        self._file.write(json.dumps({"at": time.time(), "agent": agent, "what": what, **more}) + "\n")
        self._file.flush()


class Prompted:
    """One turn of a fake agent; see `roles.Turn`."""

    def __init__(self, agent: FakeAgent, frame: Json) -> None:
        self._agent = agent
        self._frame = frame
        self._calls = 0
        self.session = str(frame["params"]["sessionId"])
        told = frame["params"].get("_meta", {}).get("clawgroups", {})
        self.kind = str(told.get("turn", "work"))
        self.task = str(told.get("task", {}).get("id", ""))
        self.title = str(told.get("task", {}).get("title", ""))
        self.name, self.dice, self.work = agent.name, agent.dice, agent.work
        self.first = agent.is_new

    async def say(self, text: str) -> None:
        content = {"type": "text", "text": text}
        message = {"messageId": f"m-{self._frame['id']}"}
        await self.tell({"sessionUpdate": "agent_message_chunk", "content": content, **message})

    async def act(self, title: str, *, output: str = "", ended: bool = True) -> None:
        self._calls += 1
        call = f"{self._frame['id']}-{self._calls}"
        begun = {"sessionUpdate": "tool_call", "toolCallId": call, "title": title, "kind": "read"}
        await self.tell({**begun, "status": "in_progress", "rawInput": {"path": "material"}})
        if ended:
            over = {"sessionUpdate": "tool_call_update", "toolCallId": call, "status": "completed"}
            await self.tell({**over, "rawOutput": output})

    async def fail(self, code: int, message: str) -> None:
        await self._agent.tell({"id": self._frame["id"], "error": {"code": code, "message": message}})

    async def garble(self, line: str) -> None:
        await self._agent.write(line)

    async def ask(self, call: Json, *, number: int = 0) -> str:
        return await self._agent.ask(self.session, call, number)

    async def cue(self, what: str) -> None:
        while not self._agent.cues.with_suffix(f".{what}").exists():
            await asyncio.sleep(CUE)

    def note(self, what: str, **more: Any) -> None:
        self._agent.note(what, **more)

    async def tell(self, update: Json) -> None:
        params = {"sessionId": self.session, "update": update}
        await self._agent.tell({"method": "session/update", "params": params})


class FakeAgent:
    """One agent: speaks ACP, one message a line, and works in its role."""

    def __init__(self, name: str, role: str, *, work: float, diary: Diary, seed: str, cues: Path) -> None:
        self.name = name
        self.role = {**ROLES, **ASKING}[role]
        self.cues = cues
        self._asks = role in ASKING
        self._asked: dict[int, list[asyncio.Future[str]]] = {}
        self._numbers = itertools.count(100)
        self._scatters = role == DUPLICATOR
        self._copies: set[asyncio.Task[None]] = set()
        self.work = work
        self.dice = random.Random(f"{seed}:{name}")
        self._diary = diary
        self._writer: asyncio.StreamWriter | None = None
        self._turns: dict[str, asyncio.Task[None]] = {}
        self._sessions = 0

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        while line := await reader.readline():
            await self._hear(json.loads(line))

    async def write(self, line: str) -> None:
        assert self._writer is not None
        self._writer.write(line.encode() + b"\n")
        await self._writer.drain()

    async def tell(self, frame: Json) -> None:
        line = json.dumps({"jsonrpc": "2.0", **frame})
        if not self._scatters or _is_text(frame):
            await self.write(line)
            return
        # An answer says that the turn is over: one copy of everything before it has come by then.
        window = WINDOW * self.work
        soonest = window if "method" not in frame else 0.0
        for number in range(self.dice.randint(1, 3)):
            latest = soonest + window * (2 if number else 1)
            copy = asyncio.create_task(self._later(line, self.dice.uniform(soonest, latest)))
            self._copies.add(copy)
            copy.add_done_callback(self._copies.discard)

    @property
    def is_new(self) -> bool:
        """Whether it was never prompted."""
        return not self._turns

    def note(self, what: str, **more: Any) -> None:
        self._diary.note(self.name, what, **more)

    async def ask(self, session: str, call: Json, number: int) -> str:
        """Ask for permission; every answer is noted, also one that nobody waits for."""
        number, call_id = number or next(self._numbers), call["toolCallId"]
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(number, []).append(answer)
        self.note("asked", id=number, session=session, call=call_id)
        kinds = {"yes": "allow_once", "always": "allow_always", "no": "reject_once"}
        options = [{"optionId": f"{name}:{call_id}", "name": name, "kind": kind} for name, kind in kinds.items()]
        params = {"sessionId": session, "toolCall": call, "options": options}
        await self.tell({"id": number, "method": "session/request_permission", "params": params})
        return await answer

    def _answered(self, frame: Json) -> None:
        said = frame.get("result", {}).get("outcome", {})
        option = str(said.get("optionId") or said.get("outcome") or frame.get("error"))
        self.note("answered", id=frame["id"], option=option)
        for answer in self._asked.get(frame["id"], []):
            if not answer.done():
                answer.set_result(option)
                return

    async def _later(self, line: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.write(line)

    async def _hear(self, frame: Json) -> None:
        match frame.get("method"):
            case "initialize":
                about: Json = {"protocolVersion": 1, "agentInfo": {"name": "fake", "version": "1"}}
                if self._asks:  # It is given the workspace's tools as they are, with their key.
                    about["agentCapabilities"] = {"mcpCapabilities": {"http": True}}
                await self.tell({"id": frame["id"], "result": about})
            case "session/new":
                self._sessions += 1
                for server in frame["params"].get("mcpServers", []):
                    self.note("tools", headers=server.get("headers", []))
                await self.tell({"id": frame["id"], "result": {"sessionId": f"{self.name}-{self._sessions}"}})
            case "session/prompt":
                turn = Prompted(self, frame)
                self._turns[turn.session] = asyncio.create_task(self._work(turn, frame["id"]))
            case "session/cancel":
                task = self._turns.get(frame["params"]["sessionId"])
                if task is not None:
                    task.cancel()
            case None:
                self._answered(frame)
            case method:
                if "id" in frame:
                    await self.tell({"id": frame["id"], "error": {"code": -32601, "message": f"no {method}"}})

    async def _work(self, turn: Prompted, frame_id: Any) -> None:
        self._diary.note(self.name, "prompt", task=turn.task, session=turn.session, turn=turn.kind, id=frame_id)
        try:
            stop = await self.role(turn)
        except asyncio.CancelledError:
            stop = "cancelled"
        self._diary.note(self.name, "end", task=turn.task, session=turn.session, stop=stop, id=frame_id)
        if stop is not None:
            await self.tell({"id": frame_id, "result": {"stopReason": stop}})


def _is_text(frame: Json) -> bool:
    """A piece of text has no identity: its place is its order, and nobody could tell a copy from a repetition."""
    return bool(frame.get("params", {}).get("update", {}).get("sessionUpdate") == "agent_message_chunk")


def _told(diary: Diary, name: str, text: str) -> None:
    """The connector's own words: what matters of them goes into the diary."""
    if text.startswith("connected"):
        diary.note(name, "up")
    elif "trying again" in text:
        diary.note(name, "down", why=text)
    elif "restart" in text:
        diary.note(name, "draining")
    elif not text.startswith("it works in"):
        diary.note(name, "said", text=text)


def bridge_of(config: Json, one: Json, diary: Diary, root: Path) -> Bridge:
    """The connector of one agent."""
    cues = Path(config["diary"])
    agent = FakeAgent(one["name"], one["role"], work=config["work"], diary=diary, seed=str(config["seed"]), cues=cues)
    settings = Settings(
        config["url"], one["key"], root / one["name"], one["name"], restart=True, scale=config.get("scale", 1.0)
    )
    start = partial(InProcessChild.start, agent.run, grace=0.2)
    return Bridge(settings, start, say=partial(_told, diary, one["name"]))


async def swarm(config: Json, file: TextIO) -> None:
    """Run all agents until a signal asks for the end."""
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="claw-swarm-") as root:
        diary = Diary(file)
        bridges = [bridge_of(config, one, diary, Path(root)) for one in config["agents"]]
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop_all, bridges)
        await asyncio.gather(
            *(_carry(bridge, one["name"], diary) for bridge, one in zip(bridges, config["agents"], strict=True))
        )


def _stop_all(bridges: list[Bridge]) -> None:
    for bridge in bridges:
        bridge.stop()


async def _carry(bridge: Bridge, name: str, diary: Diary) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        code = await bridge.run()
        diary.note(name, "over", code=code)


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    with Path(given["diary"]).open("a") as diary_file:
        asyncio.run(swarm(given, diary_file))
