"""The sub-agents as an ACP agent: hundreds of sessions in one process, each with its folder and its tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from acp import RequestError

from agents.connector.inprocess import stream_pair
from agents.llm.base import Fault, FaultKind, Request
from agents.llm.scripted import Scripted
from agents.swarm.agent import KEPT, SwarmAgent
from agents.swarm.command import speak
from agents.swarm.engine import Engine
from agents.swarm.tally import Tally, Used
from tests.swarm.play import ENDPOINT, Team, calls

Json = dict[str, Any]
MANY = 300
PATIENCE = 900.0
# What one sub-agent may cost beside its words, measured: about 40 KiB.
PER_SESSION = 128 * 1024


def worker(request: Request) -> Any:
    """Writes a report with a long text and is done."""
    if any(message.role == "tool" for message in request.messages):
        return calls(("finish", {"result": "It is written.", "files": ["report.md"]}))
    return calls(("write_file", {"name": "report.md", "text": "All is well.\n" * 200}))


class Client:
    """The far side of the connection: asks, and keeps what comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._count = 0
        self.updates = 0

    async def listen(self) -> None:
        while line := await self._reader.readline():
            frame = json.loads(line)
            if "id" in frame and "method" not in frame:
                self._waiting.pop(frame["id"]).set_result(frame)
            else:
                self.updates += 1

    async def ask(self, method: str, params: Json) -> Json:
        self._count += 1
        answer = self._waiting[self._count] = asyncio.get_running_loop().create_future()
        frame = {"jsonrpc": "2.0", "id": self._count, "method": method, "params": params}
        self._writer.write(json.dumps(frame).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            found: Json = await answer
        return found


@asynccontextmanager
async def connected(engine: Engine) -> AsyncIterator[Client]:
    near, far = await stream_pair()
    agent = asyncio.create_task(speak(engine, *far))
    client = Client(*near)
    listening = asyncio.create_task(client.listen())
    try:
        yield client
    finally:
        near[1].close()
        far[1].close()
        for task in (agent, listening):
            task.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await task


def engine(script: Any = worker, **how: Any) -> Engine:
    return Engine(ENDPOINT, ask=Scripted(script), **how)


def resident() -> int:
    pages = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(pages.split()[1]) * 1024


async def one_task(client: Client, folder: Path, number: int) -> Json:
    folder = folder / str(number)
    folder.mkdir()
    made = await client.ask("session/new", {"cwd": str(folder), "mcpServers": []})
    session = made["result"]["sessionId"]
    meta = {"clawgroups": {"turn": "work", "task": {"id": f"t-{number}", "title": f"Task {number}", "acceptance": []}}}
    text = f"# Task: Task {number}\n" + "Background. " * 500
    prompt = {"sessionId": session, "prompt": [{"type": "text", "text": text}], "_meta": meta}
    return await client.ask("session/prompt", prompt)


async def test_three_hundred_sessions_work_in_one_process_within_their_memory(tmp_path: Path) -> None:
    used: list[Used] = []
    made = engine(tally=Tally(also=used.append))
    async with connected(made) as client:
        hello = await client.ask("initialize", {"protocolVersion": 1, "clientCapabilities": {}})
        assert hello["result"]["agentCapabilities"]["mcpCapabilities"]["http"] is True
        await one_task(client, tmp_path, MANY)
        before = resident()
        answers = await asyncio.gather(*(one_task(client, tmp_path, number) for number in range(MANY)))
        grown = resident() - before
    assert [answer["result"]["stopReason"] for answer in answers] == ["end_turn"] * MANY
    assert [one.end for one in used] == ["done"] * (MANY + 1)
    assert all((tmp_path / str(number) / "report.md").exists() for number in range(MANY))
    print(f"{grown / MANY / 1024:.0f} KiB a session")
    assert grown < MANY * PER_SESSION


async def test_more_than_it_may_hold_at_work_are_refused_and_room_comes_back(tmp_path: Path) -> None:
    going, entered = asyncio.Event(), asyncio.Semaphore(0)
    agent = SwarmAgent(engine(sessions=2))
    agent.on_connect(Team())
    loop = asyncio.get_running_loop()

    def held(*_: Any, **__: Any) -> Any:
        loop.call_soon_threadsafe(entered.release)
        asyncio.run_coroutine_threadsafe(going.wait(), loop).result(60)
        return calls(("finish", {"result": "Done.", "files": ["x.md"]}))

    agent._engine.ask = held
    (tmp_path / "x.md").write_text("x")
    opened = [(await agent.new_session(str(tmp_path))).session_id for _ in range(2)]
    turns = [asyncio.ensure_future(agent.prompt([], pk)) for pk in opened]
    for _ in turns:
        await entered.acquire()
    with pytest.raises(RequestError, match="all 2 sub-agents are at work"):
        await agent.new_session(str(tmp_path))
    going.set()
    assert [(await turn).stop_reason for turn in turns] == ["end_turn"] * 2
    assert (await agent.new_session(str(tmp_path))).session_id


async def test_sessions_that_rest_keep_what_must_survive_and_are_forgotten_in_the_end(tmp_path: Path) -> None:
    agent = SwarmAgent(engine(sessions=2))
    agent.on_connect(Team())
    first = (await agent.new_session(str(tmp_path))).session_id
    await agent.prompt([], first, clawgroups={"turn": "work", "task": {"title": "The first", "acceptance": ["Short."]}})
    for _ in range(3):
        await agent.new_session(str(tmp_path))
    kept = agent._sessions[first].worker.talk
    assert len(kept.messages) == 2
    assert "Short." in kept.messages[1].text
    for _ in range(KEPT * 2):
        await agent.new_session(str(tmp_path))
    assert len(agent._sessions) <= KEPT * 2
    with pytest.raises(RequestError):
        await agent.prompt([], first)


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault(FaultKind.KEY, "refused"), -32000, "key"),
        (Fault(FaultKind.QUOTA, "used up", again_in=61.5), -32603, "quota"),
        (Fault(FaultKind.REQUEST, "unknown field"), -32603, "cannot be asked"),
    ],
)
async def test_a_model_that_is_not_to_be_had_is_an_error_that_says_why(
    tmp_path: Path, fault: Fault, code: int, words: str
) -> None:
    agent = SwarmAgent(engine([fault]))
    agent.on_connect(Team())
    session = (await agent.new_session(str(tmp_path))).session_id
    with pytest.raises(RequestError, match=words) as told:
        await agent.prompt([], session)
    assert told.value.code == code
    assert (told.value.data == {"retryAfter": 62}) == (fault.again_in is not None)
    assert agent._sessions[session].turn is None


async def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    agent = SwarmAgent(engine())
    for folder in ("relative", str(tmp_path / "missing")):
        with pytest.raises(RequestError):
            await agent.new_session(folder)
