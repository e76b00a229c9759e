"""Every call of stable ACP 1, made in our words, is understood by the official SDKs; their answers are by us."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from agents.protocol import acp, peer, version
from agents.protocol.peer import Peer, RpcError
from agents.protocol.updates import AgentUpdate, MessageChunk
from tests.conformance.counterparts import COMMANDS, PATIENCE, Heard, joined
from tests.conformance.wire import Wire

FORM: dict[str, Any] = {"elicitation": {"form": {}}}


class Client:
    """Our peer on one connection of an agent, without anything of the server behind it."""

    def __init__(self, connection: ServerConnection) -> None:
        self.updates: list[tuple[str, AgentUpdate]] = []
        self.open: dict[str, list[Any]] = {"session/request_permission": [], "elicitation/create": []}
        self.wire = Wire()
        self._connection = connection
        self._answers: dict[Any, asyncio.Future[Any]] = {}
        self._changed = asyncio.Event()
        self._peer = Peer(
            self.send,
            on_notification=lambda _, params: self.updates.append(acp.parse_update(params)),
            on_request=lambda frame_id, method, params: self.open[method].append((frame_id, params)),
            on_response=self._answered,
            requests=frozenset(self.open),
        )

    async def listen(self) -> None:
        async for text in self._connection:
            assert isinstance(text, str)
            self.wire.said(text)
            await self._peer.feed(text)
            self._changed.set()

    async def send(self, text: str) -> None:
        self.wire.heard(text)
        await self._connection.send(text)

    def _answered(self, frame_id: peer.RpcId, result: Any, error: RpcError | None) -> None:
        self._answers[frame_id].set_result(result if error is None else error)

    async def begin(self, method: str, params: dict[str, Any]) -> asyncio.Future[Any]:
        name = f"ours-{len(self._answers)}"
        future = self._answers[name] = asyncio.get_running_loop().create_future()
        await self.send(peer.request(name, method, params))
        return future

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """The result, or the error."""
        return await asyncio.wait_for(await self.begin(method, params), PATIENCE)

    async def made(self, call: acp.Call) -> Any:
        return await self.call(call.method, call.params)

    async def until(self, condition: Callable[[], Any]) -> Any:
        async with asyncio.timeout(PATIENCE):
            while not (found := condition()):
                self._changed.clear()
                await self._changed.wait()
            return found

    async def asked(self, method: str) -> tuple[Any, dict[str, Any]]:
        """The agent's oldest open question."""
        frame_id, params = await self.until(lambda: self.open[method] and self.open[method].pop(0))
        return frame_id, params


@contextlib.asynccontextmanager
async def spoken_to(kind: str, root: Path) -> AsyncIterator[tuple[Client, Heard]]:
    """An agent of this kind that has dialled in."""
    come: asyncio.Future[Client] = asyncio.get_running_loop().create_future()

    async def take(connection: ServerConnection) -> None:
        come.set_result(client := Client(connection))
        with contextlib.suppress(ConnectionClosed):
            await client.listen()

    async with serve(take, "127.0.0.1", 0, max_size=None) as server:
        url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with joined(kind, "websocket", url, key="cg_x", root=root) as heard:
            client = await asyncio.wait_for(come, PATIENCE)
            yield client, heard
            assert client.wire.faults == []


@pytest.mark.parametrize("kind", COMMANDS)
async def test_every_stable_call_is_answered(kind: str, tmp_path: Path) -> None:
    async with spoken_to(kind, tmp_path) as (client, heard):
        hello = acp.initialize("0").params
        offered = {**hello["clientCapabilities"], **FORM}
        snapshot = acp.parse_initialize(await client.call("initialize", {**hello, "clientCapabilities": offered}))
        assert (snapshot.protocol_version, snapshot.load, snapshot.resume) == (1, True, True)
        opened = acp.parse_new_session(await client.made(acp.session_new("/w")))
        assert [option["currentValue"] for option in opened.config_options] == ["low"]
        session = opened.session_id
        chosen = {"sessionId": session, "configId": "effort", "value": "high"}
        complete = await client.call("session/set_config_option", chosen)
        assert [option["currentValue"] for option in complete["configOptions"]] == ["high"]
        await _turn(client, session)
        listed = await client.call("session/list", {})
        assert [one["sessionId"] for one in listed["sessions"]] == [session]
        client.updates.clear()
        await client.made(acp.session_load(session, "/w"))
        (replayed,) = client.updates
        assert replayed == (session, MessageChunk("It is done. Branch: dev."))
        await client.made(acp.session_resume(session, "/w"))
        assert len(client.updates) == 1, "nothing is replayed"
        unknown = await client.made(acp.session_resume("never opened", "/w"))
        assert isinstance(unknown, RpcError)
        assert unknown.code == version.RESOURCE_NOT_FOUND
        assert await client.call("session/close", {"sessionId": session}) == {}
        assert heard.of("session/close") == [{"called": "session/close", "session": session}]


async def _turn(client: Client, session: str) -> None:
    """A prompt with a permission and a form."""
    call = acp.session_prompt(session, [acp.text_block("Write it"), acp.link_block("a.csv", "a.csv")])
    turn = await client.begin(call.method, call.params)
    frame_id, params = await client.asked("session/request_permission")
    question = acp.parse_permission(frame_id, params)
    assert question is not None
    assert [option.kind for option in question.options] == ["allow_once", "reject_once"]
    await client.send(peer.result(frame_id, acp.permission_selected("go")))
    frame_id, form = await client.asked("elicitation/create")
    assert (form["mode"], form["sessionId"], form["message"]) == ("form", session, "Which branch?")
    assert form["requestedSchema"]["required"] == ["branch"]
    await client.send(peer.result(frame_id, {"action": "accept", "content": {"branch": "dev"}}))
    assert acp.parse_prompt(await asyncio.wait_for(turn, PATIENCE)).stop_reason == "end_turn"


@pytest.mark.parametrize("kind", COMMANDS)
async def test_a_cancelled_turn_ends_once_its_questions_are_answered(kind: str, tmp_path: Path) -> None:
    async with spoken_to(kind, tmp_path) as (client, heard):
        await client.made(acp.initialize("0"))
        session = acp.parse_new_session(await client.made(acp.session_new("/w"))).session_id
        call = acp.session_prompt(session, [acp.text_block("Wait for the stop")])
        turn = await client.begin(call.method, call.params)
        two = [await client.asked("session/request_permission") for _ in range(2)]
        await client.send(acp.session_cancel(session).notification())
        await heard.until(lambda: heard.of("session/cancel"))
        assert not turn.done()
        for frame_id, _ in two:
            await client.send(peer.result(frame_id, acp.permission_cancelled()))
        assert acp.parse_prompt(await asyncio.wait_for(turn, PATIENCE)).stop_reason == "cancelled"
