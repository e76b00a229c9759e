"""An agent that somebody else wrote, on the public ACP SDK: it knows ACP and nothing of us.

`stranger.py obliging` does what it is asked, `stranger.py other` too, in other words; `stranger.py stubborn` goes on
although it was told to stop.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import acp
from acp import schema


class Stranger:
    """Writes a poem into its folder, and says so."""

    def __init__(self, manner: str) -> None:
        self._manner = manner
        self._rest = "violets are blue." if manner == "other" else "sales are up."
        self._folders: dict[str, Path] = {}
        self._told_to_stop = asyncio.Event()

    def on_connect(self, conn: Any) -> None:
        self._client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        info = schema.Implementation(name="stranger", title="A stranger", version="3.1")
        return schema.InitializeResponse(protocol_version=protocol_version, agent_info=info)

    async def new_session(self, cwd: str, **_: Any) -> schema.NewSessionResponse:
        name = f"s{len(self._folders)}"
        self._folders[name] = Path(cwd)
        return schema.NewSessionResponse(session_id=name)

    async def prompt(self, prompt: list[Any], session_id: str, **_: Any) -> schema.PromptResponse:
        await self._say(session_id, "Roses are red, ")
        if self._manner == "stubborn":
            await self._told_to_stop.wait()
        # No file of ours is of interest to it: it just leaves one of its own.
        (self._folders[session_id] / "poem.txt").write_text(f"Roses are red, {self._rest}\n")
        await self._say(session_id, self._rest)
        return schema.PromptResponse(stop_reason="end_turn")

    async def cancel(self, session_id: str, **_: Any) -> None:
        self._told_to_stop.set()

    async def _say(self, session_id: str, text: str) -> None:
        await self._client.session_update(session_id, acp.update_agent_message_text(text))


if __name__ == "__main__":
    asyncio.run(acp.run_agent(cast("Any", Stranger(sys.argv[1]))))
