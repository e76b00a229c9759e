"""An agent written on the public SDK, connected by our bridge and spoken to in our words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import acp as sdk
import pytest
from acp import schema

from agents.connector.bridge import Bridge, Settings
from agents.connector.inprocess import InProcessChild
from agents.protocol import acp, peer
from agents.protocol.peer import Peer, RpcError
from agents.protocol.updates import MessageChunk, PermissionOption, PlanEntry, PlanReplaced, ToolCall
from tests.agents.support import PATIENCE, SCALE, FakeServer


class Scribe:
    """Asks before it writes, and says what it did."""

    def on_connect(self, conn: Any) -> None:
        self.client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        info = schema.Implementation(name="scribe", title="Scribe", version="1")
        return schema.InitializeResponse(protocol_version=protocol_version, agent_info=info)

    async def new_session(self, cwd: str, **_: Any) -> schema.NewSessionResponse:
        return schema.NewSessionResponse(session_id=f"at {cwd}")

    async def prompt(self, prompt: list[Any], session_id: str, **_: Any) -> schema.PromptResponse:
        entry = schema.PlanEntry(content="write", priority="high", status="pending")
        await self.client.session_update(session_id, sdk.update_plan([entry]))
        call = schema.ToolCallUpdate(tool_call_id="c1", title="Write", kind="edit", status="pending")
        options = [schema.PermissionOption(option_id="y", name="Yes", kind="allow_once")]
        answer = await self.client.request_permission(options=options, session_id=session_id, tool_call=call)
        done = sdk.update_tool_call("c1", status="completed")
        await self.client.session_update(session_id, done)
        text = f"{prompt[0].text}: {answer.outcome.option_id} ü {'x' * 200_000}"
        await self.client.session_update(session_id, sdk.update_agent_message_text(text))
        return schema.PromptResponse(stop_reason="end_turn")


async def run_scribe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await sdk.run_agent(Scribe(), writer, reader)  # type: ignore[arg-type]


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


async def test_a_whole_turn_of_an_sdk_agent_is_understood(server: FakeServer, tmp_path: Path) -> None:
    async def start() -> InProcessChild:
        return await InProcessChild.start(run_scribe, grace=2.0)

    bridge = Bridge(Settings(url=server.url, key="k", root=tmp_path, scale=SCALE), start, say=lambda _: None)
    task = asyncio.create_task(bridge.run())

    async def call(frame_id: str, what: acp.Call) -> None:
        await server.send(json.loads(what.request(frame_id)))

    try:
        await server.until(lambda: server.connection)
        await call("1", acp.initialize("0"))
        await server.until(lambda: server.answers("1"))
        snapshot = acp.parse_initialize(server.answers("1")[0]["result"])
        assert (snapshot.protocol_version, snapshot.title) == (1, "Scribe")
        await call("2", acp.session_new("/w"))
        await server.until(lambda: server.answers("2"))
        session = acp.parse_new_session(server.answers("2")[0]["result"]).session_id
        assert session == "at /w"
        await call("3", acp.session_prompt(session, [acp.text_block("Go")], task={"id": "t"}))
        await server.until(lambda: server.frames[-1].get("method") == "session/request_permission")
        request = server.frames[-1]
        asked = acp.parse_permission(request["id"], request["params"])
        assert asked is not None
        assert asked.options == (PermissionOption("y", "Yes", "allow_once"),)
        await server.send(json.loads(peer.result(request["id"], acp.permission_selected("y"))))
        await server.until(lambda: server.answers("3"))
    finally:
        bridge.stop()
        assert await asyncio.wait_for(task, PATIENCE) == 0
    assert await understood(server) == [
        PlanReplaced((PlanEntry("write", "high", "pending"),)),
        "permission",
        ToolCall("c1", {"status": "completed"}),
        MessageChunk(f"Go: y ü {'x' * 200_000}"),
        "end_turn",
    ]


async def understood(server: FakeServer) -> list[Any]:
    """Everything from the prompt on, through our peer, in its order."""
    heard: list[Any] = []

    async def nothing_to_answer(text: str) -> None:
        raise AssertionError(text)

    def response(frame_id: peer.RpcId, result: Any, error: RpcError | None) -> None:
        assert error is None
        if frame_id == "3":
            heard.append(acp.parse_prompt(result).stop_reason)

    ours = Peer(
        nothing_to_answer,
        on_notification=lambda _, params: heard.append(acp.parse_update(params)[1]),
        on_request=lambda *_: heard.append("permission"),
        on_response=response,
    )
    for frame in server.frames:
        await ours.feed(json.dumps(frame))
    return heard
