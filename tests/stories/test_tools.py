"""A stranger's agent uses the workspace's tools with an official client, through the whole server."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.stories.script import Follower, Json, Script
from tests.stories.waiting import until

PLAN = [{"key": "poem", "title": "Write a poem", "skills": ["poetry"]}]


class Agent:
    """An agent that speaks plain ACP, takes MCP servers over HTTP, and does its work outside of this thread."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.servers: queue.Queue[Json] = queue.Queue()
        self.prompts: queue.Queue[Json] = queue.Queue()

    def listen(self) -> None:
        able = {"mcpCapabilities": {"http": True}}
        try:
            for text in self.socket:
                frame = json.loads(text)
                match frame.get("method"):
                    case "initialize":
                        self.answer(frame, {"protocolVersion": 1, "agentCapabilities": able})
                    case "session/new":
                        self.servers.put(frame["params"]["mcpServers"][0])
                        self.answer(frame, {"sessionId": "one"})
                    case "session/prompt":
                        self.prompts.put(frame)
        except ConnectionClosed:
            return

    def answer(self, frame: Json, result: Json) -> None:
        self.socket.send(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "result": result}))


@pytest.fixture
def workspace(script: Script) -> str:
    return script.workspace("Tools")


@pytest.fixture
def agent(script: Script, workspace: str) -> Iterator[Agent]:
    skills = [{"name": "poetry", "level": 4}]
    made = script.post("/api/v1/agents", {"name": "Bard of tools", "skills": skills, "workspace": workspace})
    url = script.url.replace("http", "ws", 1) + "/acp/connect"
    with connect(url, additional_headers={"Authorization": f"Bearer {made['key']}"}) as socket:
        bard = Agent(socket)
        listener = threading.Thread(target=bard.listen, daemon=True)
        listener.start()
        yield bard
    listener.join(20)


@asynccontextmanager
async def tools(server: Json, mode: str) -> Any:
    """The tools as the client of the protocol's own SDK sees them."""
    headers = {one["name"]: one["value"] for one in server["headers"]}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(server["url"], http_client=http), mode=mode) as client,
    ):
        yield client


async def use(server: Json, mode: str, script: Script) -> Json:
    """All kinds of tools in one sitting; what the person's answer was."""
    async with tools(server, mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"read_board", "ask_human", "deliver_artifact"} <= names
        board = (await client.call_tool("read_board", {})).structured_content
        assert [task["yours"] for task in board["tasks"]] == [True]
        for name, arguments in (
            ("post_message", {"text": f"Hello by {mode}."}),
            ("remember", {"key": "metre", "text": "Iambs."}),
            ("deliver_artifact", {"name": "poem.txt", "text": f"Roses by {mode}.\n"}),
            ("report_progress", {"percent": 50, "note": f"Half by {mode}"}),
        ):
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result
        found = (await client.call_tool("recall", {"query": "metre"})).structured_content
        assert found["notes"][0]["text"] == "Iambs."
        asking = asyncio.create_task(client.call_tool("ask_human", {"question": f"Rhyme by {mode}?"}))
        await asyncio.to_thread(answer, script, f"Rhyme by {mode}?")
        said: Json = (await asking).structured_content
        return said


def answer(script: Script, question: str) -> None:
    """What a person does with an open question."""

    def asked() -> list[str]:
        rows = script.get("/api/v1/approvals?state=open")["items"]
        return [row["id"] for row in rows if row["tool_call"].get("title") == question]

    (pk,) = until(asked, seconds=20, what=f"the question {question}")
    script.post(f"/api/v1/approvals/{pk}", {"text": "Please do."})


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_an_agent_works_with_the_tools_that_its_session_brings(
    script: Script, workspace: str, agent: Agent, mode: str
) -> None:
    with Follower(script, workspace) as journal:
        started = {"goal": "A poem", "plan": PLAN, "start": True}
        run = str(script.post(f"/api/v1/workspaces/{workspace}/runs", started)["id"])
        server = agent.servers.get(timeout=30)
        prompt = agent.prompts.get(timeout=30)
        said = asyncio.run(use(server, mode, script))
        assert (said["state"], said["answer"]) == ("decided", "Please do.")
        task = script.task(run, "poem")
        assert task["attempts"][0]["progress"]["note"] == f"Half by {mode}"
        (message,) = script.get(f"/api/v1/workspaces/{workspace}/messages?task={task['id']}")["items"]
        assert (message["body"], message["actor"]["kind"]) == (f"Hello by {mode}.", "agent")
        agent.answer(prompt, {"stopReason": "end_turn"})
        journal.until("task.submitted", task_id=task["id"])
        assert script.files(run, "result") == {"poem.txt": f"Roses by {mode}.\n".encode()}
    assert script.ask("GET", "/mcp").status == 405
    assert script.ask("POST", "/mcp", b"{}", {"Content-Type": "application/json"}).status == 401
