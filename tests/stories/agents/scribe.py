"""A stranger's agent that writes letters: the first it never ends by itself, before the next one it asks.

A task that builds on nothing is written on and on, until the agent is told to stop: so whoever wants to step in finds
it in the middle of its turn. One that builds on another asks for permission before its file is written.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import acp
from acp import schema

PAUSE = 0.3
OPTIONS = [
    schema.PermissionOption(option_id="yes", name="Allow", kind="allow_once"),
    schema.PermissionOption(option_id="no", name="Reject", kind="reject_once"),
]


class Scribe:
    """One task at a time."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}
        self._told_to_stop = asyncio.Event()

    def on_connect(self, conn: Any) -> None:
        self._client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        info = schema.Implementation(name="scribe", title="A scribe", version="1.0")
        return schema.InitializeResponse(protocol_version=protocol_version, agent_info=info)

    async def new_session(self, cwd: str, **_: Any) -> schema.NewSessionResponse:
        name = f"s{len(self._folders)}"
        self._folders[name] = Path(cwd)
        return schema.NewSessionResponse(session_id=name)

    async def prompt(self, prompt: list[Any], session_id: str, **_: Any) -> schema.PromptResponse:
        self._told_to_stop.clear()
        if any("## Result of" in block.text for block in prompt if block.type == "text"):
            return await self._ask(session_id)
        await self._say(session_id, "Dear readers, the lamps are here.")
        while not self._told_to_stop.is_set():
            await self._say(session_id, " They shine.")
            await asyncio.sleep(PAUSE)
        return schema.PromptResponse(stop_reason="cancelled")

    async def cancel(self, session_id: str, **_: Any) -> None:
        self._told_to_stop.set()

    async def _ask(self, session: str) -> schema.PromptResponse:
        call = schema.ToolCallUpdate(
            tool_call_id="send", title="Write letter.txt", kind="execute", raw_input={"command": "write letter.txt"}
        )
        answer = await self._client.request_permission(session_id=session, tool_call=call, options=OPTIONS)
        if getattr(answer.outcome, "option_id", "") != "yes":
            return schema.PromptResponse(stop_reason="refusal")
        (self._folders[session] / "letter.txt").write_text("Dear readers, the lamps are here.\n")
        await self._say(session, "The letter is ready to be sent.")
        return schema.PromptResponse(stop_reason="end_turn")

    async def _say(self, session: str, text: str) -> None:
        await self._client.session_update(session, acp.update_agent_message_text(text))


if __name__ == "__main__":
    assert sys.argv[1:] == ["acp"]
    asyncio.run(acp.run_agent(cast("Any", Scribe())))
