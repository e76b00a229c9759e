"""An agent that writes without a model: whatever is asked of it, it answers with the parts and the length asked for.

What it says follows from its prompt alone, so the same task gives the same text. It names the results that it was told,
so that whoever reads the last text sees on what it rests.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

import acp
from acp import schema

PARTS = re.compile(r"^- has_parts: (.+)$", re.MULTILINE)
WORDS = re.compile(r"^- min_words: (\d+)$", re.MULTILINE)
TITLE = re.compile(r"^# Task: (.+)$", re.MULTILINE)
RESULTS = re.compile(r"^## Result of “(.+)” \(data", re.MULTILINE)
SENTENCE = "On “{part}”: whoever reads this knows what was asked, and what it rests on."


def answer(prompt: str) -> str:
    """The text that a task asks for."""
    title = TITLE.search(prompt)
    asked, wanted = PARTS.search(prompt), WORDS.search(prompt)
    parts = [part.strip() for part in asked[1].split(",")] if asked else ["Answer"]
    rests = "".join(f"- {name}\n" for name in RESULTS.findall(prompt)) or "- what was said\n"
    each = 1 + (int(wanted[1]) if wanted else 0) // (len(parts) * len(SENTENCE.split()))
    said = "\n\n".join(f"## {part}\n\n{' '.join([SENTENCE.format(part=part)] * each)}" for part in parts)
    return f"{title[1] if title else 'This'}, which rests on:\n\n{rests}\n{said}\n"


class Author:
    """Answers each prompt at once."""

    def __init__(self) -> None:
        self._sessions = 0

    def on_connect(self, conn: Any) -> None:
        self._client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        info = schema.Implementation(name="author", title="An author", version="1.0")
        return schema.InitializeResponse(protocol_version=protocol_version, agent_info=info)

    async def new_session(self, **_: Any) -> schema.NewSessionResponse:
        self._sessions += 1
        return schema.NewSessionResponse(session_id=f"s{self._sessions}")

    async def prompt(self, prompt: list[Any], session_id: str, **_: Any) -> schema.PromptResponse:
        said = answer("\n".join(block.text for block in prompt if block.type == "text"))
        await self._client.session_update(session_id, acp.update_agent_message_text(said))
        return schema.PromptResponse(stop_reason="end_turn")

    async def cancel(self, session_id: str, **_: Any) -> None:
        return


if __name__ == "__main__":
    asyncio.run(acp.run_agent(cast("Any", Author())))
