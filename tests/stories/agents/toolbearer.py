"""An agent that somebody else wrote: it takes MCP servers only as programs, and starts them by the official client."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import acp
from acp import schema
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

MODES = ("legacy", "auto")


class Toolbearer:
    """Uses the tools that its session brings, by each of the protocol's two ways to begin, and says what it saw."""

    def __init__(self) -> None:
        self._servers: dict[str, list[Any]] = {}

    def on_connect(self, conn: Any) -> None:
        self._client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        return schema.InitializeResponse(protocol_version=protocol_version)

    async def new_session(self, mcp_servers: list[Any] | None = None, **_: Any) -> schema.NewSessionResponse:
        name = f"s{len(self._servers)}"
        self._servers[name] = mcp_servers or []
        return schema.NewSessionResponse(session_id=name)

    async def prompt(self, session_id: str, **_: Any) -> schema.PromptResponse:
        (server,) = self._servers[session_id]
        environment = {one.name: one.value for one in server.env}
        program = StdioServerParameters(command=server.command, args=server.args, env=environment)
        for mode in MODES:
            async with Client(stdio_client(program), mode=mode) as client:
                offered = sorted(tool.name for tool in (await client.list_tools()).tools)
                board = (await client.call_tool("read_board", {})).structured_content
                await client.call_tool("post_message", {"text": f"Hello by {mode}."})
                file = {"name": f"{mode}.txt", "text": "Roses are red.\n"}
                assert not (await client.call_tool("deliver_artifact", file)).is_error
                assert (await client.call_tool("report_progress", {"percent": 101})).is_error
        text = f"{len(offered)} tools, {len((board or {})['tasks'])} task."
        await self._client.session_update(session_id, acp.update_agent_message_text(text))
        return schema.PromptResponse(stop_reason="end_turn")

    async def cancel(self, session_id: str, **_: Any) -> None:
        return None


if __name__ == "__main__":
    asyncio.run(acp.run_agent(cast("Any", Toolbearer())))
