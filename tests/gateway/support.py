"""An agent's end of `/acp/connect` without a network, and short ways to wait until something is so."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID, uuid4

from clawgroups.gateway.acp import agents_socket
from clawgroups.gateway.link import Link
from clawgroups.gateway.switchboard import switchboard
from clawgroups.models import Attempt, Part, Step, Task
from clawgroups.services import agents
from clawgroups.services.perform import perform, read_async
from tests.conformance.wire import Wire
from tests.conftest import Team

PATIENCE = 60.0
Frame = dict[str, Any]
T = TypeVar("T")
KILLED: list[asyncio.Task[None]] = []


def new_key(team: Team, name: str = "scribe") -> tuple[str, UUID]:
    """Another key of an agent: the bearer string, and its row."""
    key = agents.mint_key()
    outcome = perform(agents.add_key, team.agents[name].pk, key=key, actor=team.actor("ada"))
    return key.secret, UUID(outcome.answer["id"])


async def until_row(read: Callable[[], T], so: Callable[[T], object] = bool) -> T:
    """Read rows until they are so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await read_async(read)
            if so(found):
                return found
            # Rows give no signal: the writer is another thread.
            await asyncio.sleep(0.01)


async def task_state(task: Task, *states: str) -> Task:
    """The task, once it is in one of these states."""
    return await until_row(lambda: Task.objects.get(pk=task.pk), lambda row: row.state in states)


def attempt_of(task: Task, number: int = 1) -> Attempt:
    return Attempt.objects.get(task=task, number=number)


def texts(task: Task, kind: str = "text", number: int = 1) -> list[tuple[str, bool]]:
    """What was said in an attempt: (text, after the stop)."""
    parts = Part.objects.filter(attempt__task=task, attempt__number=number, kind=kind).order_by("ordinal")
    return list(parts.values_list("text", "after_stop"))


def steps(task: Task) -> list[tuple[str, str]]:
    return list(Step.objects.filter(attempt__task=task).order_by("ordinal").values_list("tool_call_id", "status"))


@dataclass
class Socket:
    """One socket as the agent's machine sees it; a scripted agent answers what the server asks.

    Every frame that the server sends is judged by the official schema.
    """

    link: UUID
    answering: bool = True
    is_connector: bool = True
    extensions: str = "link,workdir,policy"
    heard: list[Frame] = field(default_factory=list)
    closed: int | None = None
    reason: str = ""
    sessions: int = 0
    said: list[str] = field(default_factory=list)
    # What it announces, what it tells of a session that it opens, and what else it answers, by method.
    capabilities: Frame = field(default_factory=dict)
    opening: Frame = field(default_factory=dict)
    answers: dict[str, Frame] = field(default_factory=dict)
    _in: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.wire = Wire(self.link)

    def open(self, key: str | None, *, extra: dict[str, str] | None = None) -> Socket:
        headers = dict(extra or {})
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        if self.is_connector:
            headers |= {"claw-link": str(self.link), "claw-extensions": self.extensions, "claw-connector": "test"}
        scope = {
            "type": "websocket",
            "path": "/acp/connect",
            "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        self._in.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(agents_socket(scope, self._in.get, self._take))
        return self

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close":
            self.closed, self.reason = message.get("code", 1000), message.get("reason", "")
            self._in.put_nowait({"type": "websocket.disconnect", "code": self.closed})
        elif message["type"] == "websocket.send":
            frame = self.wire.heard(message["text"])
            self.heard.append(frame)
            if self.answering:
                self._react(frame)
        self._changed.set()

    def _react(self, frame: Frame) -> None:
        if frame.get("method") == "initialize":
            said = {"protocolVersion": 1, "agentInfo": {"name": "scripted"}, **self.capabilities}
            self.say({"id": frame["id"], "result": said})
        elif frame.get("method") == "session/new":
            self.sessions += 1
            self.say({"id": frame["id"], "result": {"sessionId": f"{self.link}-{self.sessions}", **self.opening}})
        elif (answer := self.answers.get(frame.get("method", ""))) is not None:
            self.say({"id": frame["id"], **answer})

    def say(self, frame: Frame | str) -> None:
        text = frame if isinstance(frame, str) else json.dumps({"jsonrpc": "2.0", **frame})
        self.said.append(text)
        self.wire.said(text)
        self._in.put_nowait({"type": "websocket.receive", "text": text})

    def update(self, session: str, tag: str, **fields: Any) -> None:
        update = {"sessionUpdate": tag, **fields}
        self.say({"method": "session/update", "params": {"sessionId": session, "update": update}})

    def chunk(self, session: str, text: str, *, message: str | None = None, kind: str = "agent_message_chunk") -> None:
        more = {} if message is None else {"messageId": message}
        self.update(session, kind, content={"type": "text", "text": text}, **more)

    def ask(self, session: str, request_id: Any, call: str = "c1") -> None:
        options = [
            {"optionId": "yes", "name": "Allow", "kind": "allow_once"},
            {"optionId": "no", "name": "Reject", "kind": "reject_once"},
        ]
        params = {"sessionId": session, "toolCall": {"toolCallId": call, "title": "Send it"}, "options": options}
        self.say({"id": request_id, "method": "session/request_permission", "params": params})

    def end_turn(self, prompt: Frame, reason: str = "end_turn") -> None:
        self.say({"id": prompt["id"], "result": {"stopReason": reason}})

    async def until(self, condition: Callable[[], T]) -> T:
        async with asyncio.timeout(PATIENCE):
            while not (found := condition()):
                self._changed.clear()
                await self._changed.wait()
            return found

    async def asked(self, method: str, number: int = 1) -> Frame:
        """The server's `number`th frame of this method."""
        got = await self.until(lambda: [f for f in self.heard if f.get("method") == method][number - 1 : number])
        return got[0]

    async def answered(self, request_id: Any) -> Frame:
        """The server's answer to a request of the agent."""
        got = await self.until(lambda: [f for f in self.heard if "method" not in f and f.get("id") == request_id])
        return got[0]

    async def acked(self, number: int) -> None:
        """The server has stored everything up to `number`."""
        await self.until(
            lambda: any(f["params"]["received"] >= number for f in self.heard if f.get("method") == "_clawgroups/ack")
        )

    async def hang_up(self) -> None:
        """The line drops; returns once the server has noticed and stored what it had."""
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1006})
        await self.gone()

    async def kill(self) -> None:
        """The server's process dies: nothing more of this socket is handled, stored or closed."""
        assert self.task is not None
        line = next(one for one in switchboard().lines() if one.held.link == self.link)
        assert isinstance(line, Link)
        switchboard().remove(line)
        await line.abandon()
        KILLED.append(self.task)

    async def gone(self) -> None:
        assert self.task is not None
        async with asyncio.timeout(PATIENCE):
            await self.task


@contextlib.asynccontextmanager
async def connected(key: str, *, link: UUID | None = None, **how: Any) -> AsyncIterator[Socket]:
    """A socket that has been let in, gone at the end."""
    socket = Socket(link or uuid4(), **how).open(key)
    try:
        yield socket
    finally:
        if socket.task is not None and not socket.task.done():
            await socket.hang_up()
