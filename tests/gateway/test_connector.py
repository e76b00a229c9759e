"""Our own connector with an agent on the ACP SDK, over a real socket that comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import http
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import acp
import pytest
from acp import schema
from django.conf import settings
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from agents.connector.bridge import Bridge, Settings
from agents.connector.child import Child
from agents.connector.inprocess import InProcessChild
from agents.models import Connection
from clawgroups.gateway.acp import agents_socket
from clawgroups.models import Command
from clawgroups.services import takeover
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import attempt_of, new_key, steps, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 30.0


class Front:
    """A small web server in front of the agents' socket; it can cut the line."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self._server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Front:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, process_request=self._files, max_size=None, compression=None
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _files(self, _connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/acp/connect":
            return None
        body = b'{"files": []}'
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        return Response(http.HTTPStatus.OK, "OK", headers, body)

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.connections.append(connection)
        headers = [(k.lower().encode(), v.encode()) for k, v in connection.request.headers.raw_items()]
        scope = {"type": "websocket", "path": connection.request.path, "headers": headers}
        first: list[dict[str, Any]] = [{"type": "websocket.connect"}]

        async def receive() -> dict[str, Any]:
            if first:
                return first.pop()
            try:
                data = await connection.recv()
            except ConnectionClosed:
                return {"type": "websocket.disconnect", "code": 1006}
            return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}

        async def send(message: dict[str, Any]) -> None:
            with contextlib.suppress(ConnectionClosed):
                if message["type"] == "websocket.send":
                    await connection.send(message["text"])
                elif message["type"] == "websocket.close":
                    await connection.close(message["code"], message.get("reason", ""))

        await agents_socket(scope, receive, send)

    def cut(self) -> None:
        self.connections[-1].transport.abort()


class Scribe:
    """An agent that goes on one step each time the test lets it."""

    def __init__(self) -> None:
        self.go = asyncio.Semaphore(0)
        self.prompts = 0
        self.cancelled = asyncio.Event()
        self.outcome: Any = None
        self.client: Any = None

    def on_connect(self, conn: Any) -> None:
        self.client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        return acp.InitializeResponse(protocol_version=protocol_version)

    async def new_session(self, cwd: str, **_: Any) -> schema.NewSessionResponse:
        assert await asyncio.to_thread(Path(cwd).is_dir)
        return acp.NewSessionResponse(session_id="sdk-1")

    async def prompt(self, session_id: str, **_: Any) -> schema.PromptResponse:
        self.prompts += 1
        client = self.client
        await client.session_update(session_id, acp.start_tool_call("c1", "Count", kind="execute"))
        for word in ("one ", "two ", "three"):
            await self.go.acquire()
            await client.session_update(session_id, acp.update_agent_message_text(word))
        await client.session_update(session_id, acp.update_tool_call("c1", status="completed"))
        return acp.PromptResponse(stop_reason="end_turn")

    async def cancel(self, session_id: str, **_: Any) -> None:
        self.cancelled.set()


@contextlib.asynccontextmanager
async def carried(
    url: str, key: str, root: Path, agent: Scribe, said: list[str] | None = None
) -> AsyncIterator[asyncio.Task[int]]:
    """The agent behind a connector, which is stopped at the end; `said` gets what the person is told."""

    async def start() -> Child:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await acp.run_agent(cast(acp.Agent, agent), writer, reader)

        return await InProcessChild.start(run, grace=1.0)

    told: list[str] = [] if said is None else said
    bridge = Bridge(Settings(url=url, key=key, root=root, scale=0.01), start, say=told.append)
    task = asyncio.create_task(bridge.run())
    try:
        yield task
    finally:
        bridge.stop()
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({task})


async def test_a_turn_survives_its_line_being_cut_at_every_word(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    agent = Scribe()
    async with Front() as front:
        monkeypatch.setattr(settings, "BASE_URL", front.url)
        async with carried(front.url, key, tmp_path, agent):
            await task_state(task, "working")
            for _ in range(3):
                agent.go.release()
                front.cut()
            await task_state(task, "in_review")
        assert (await read_async(attempt_of, task)).result == "one two three"
        assert await read_async(texts, task) == [("one two three", False)]
        assert await read_async(steps, task) == [("c1", "completed")]
        assert agent.prompts == 1


async def test_an_agent_that_goes_on_after_a_takeover_is_told_once_that_it_came_too_late(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    agent = Scribe()
    said: list[str] = []
    async with Front() as front:
        monkeypatch.setattr(settings, "BASE_URL", front.url)
        async with carried(front.url, key, tmp_path, agent, said):
            await task_state(task, "working")
            bob = await read_async(team.actor, "bob")
            await perform_async(takeover.take_over, task.pk, actor=bob)
            await asyncio.wait_for(agent.cancelled.wait(), PATIENCE)
            front.cut()
            for _ in range(3):
                agent.go.release()
            await until_row(lambda: Command.objects.filter(purpose="stale", state="answered").first())
            front.cut()
            await until_row(lambda: Connection.objects.filter(epoch__gt=3).first())
        attempt = await read_async(attempt_of, task)
        assert (attempt.state, attempt.late_result) == ("superseded", "one two three")
        assert len([line for line in said if "came too late" in line]) == 1


async def test_a_wrong_key_ends_the_connector_with_its_reason(team: Team, tmp_path: Path) -> None:
    async with Front() as front, carried(front.url, "cg_wrong", tmp_path, Scribe()) as running:
        async with asyncio.timeout(PATIENCE):
            assert await running == 3


async def test_a_second_connector_of_the_same_key_ends_the_first(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    async with Front() as front:
        monkeypatch.setattr(settings, "BASE_URL", front.url)
        async with carried(front.url, key, tmp_path / "a", Scribe()) as older:
            await task_state(task, "working")
            async with carried(front.url, key, tmp_path / "b", Scribe()), asyncio.timeout(PATIENCE):
                assert await older == 4
            await until_row(lambda: attempt_of(task), lambda row: row.state == "expired")
