"""The counterpart on the Python SDK: `scribe.py` speaks ACP on stdio, `scribe.py URL KEY` dials in itself.

What it does in a turn is named by a word of the prompt: "stop" waits until it is stopped, anything else writes. What
is asked of it goes to stderr, one JSON object a line. scribe.mjs is the same agent on the TypeScript SDK.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, cast

import acp
from acp import schema
from acp.agent.connection import AgentSideConnection
from acp.ws import create_websocket_stream

OPTIONS = [
    schema.PermissionOption(option_id="go", name="Do it", kind="allow_once"),
    schema.PermissionOption(option_id="stay", name="Leave it", kind="reject_once"),
]


def note(what: str, **more: Any) -> None:
    """Tell the test."""
    print(json.dumps({"called": what, **more}), file=sys.stderr, flush=True)


class Scribe:
    """Knows all of stable ACP 1 that an agent can offer."""

    def __init__(self) -> None:
        self._client: Any = None
        self._asks_forms = False
        self._effort = "low"
        self._said: dict[str, list[str]] = {}
        self._stopped: dict[str, asyncio.Event] = {}

    def on_connect(self, conn: Any) -> None:
        self._client = conn

    async def initialize(
        self, protocol_version: int, client_capabilities: schema.ClientCapabilities | None = None, **_: Any
    ) -> schema.InitializeResponse:
        offered = client_capabilities or schema.ClientCapabilities()
        self._asks_forms = offered.elicitation is not None and offered.elicitation.form is not None
        note("initialize", version=protocol_version, fs=bool(offered.fs and offered.fs.read_text_file))
        sessions = schema.SessionCapabilities(
            list=schema.SessionListCapabilities(),
            resume=schema.SessionResumeCapabilities(),
            close=schema.SessionCloseCapabilities(),
        )
        return schema.InitializeResponse(
            protocol_version=1,
            agent_capabilities=schema.AgentCapabilities(load_session=True, session_capabilities=sessions),
            agent_info=schema.Implementation(name="scribe", title="Scribe in Python", version="1.0"),
        )

    async def new_session(self, cwd: str, **_: Any) -> schema.NewSessionResponse:
        name = f"session-{len(self._said) + 1}"
        self._said[name] = []
        note("session/new", absolute=Path(cwd).is_absolute())
        return schema.NewSessionResponse(session_id=name, config_options=self._options())

    async def load_session(self, cwd: str, session_id: str, **_: Any) -> schema.LoadSessionResponse:
        note("session/load", session=session_id)
        for text in self._known(session_id):
            await self._tell(session_id, acp.update_agent_message_text(text))
        return schema.LoadSessionResponse(config_options=self._options())

    async def resume_session(self, cwd: str, session_id: str, **_: Any) -> schema.ResumeSessionResponse:
        self._known(session_id)
        note("session/resume", session=session_id)
        return schema.ResumeSessionResponse(config_options=self._options())

    async def list_sessions(self, **_: Any) -> schema.ListSessionsResponse:
        return schema.ListSessionsResponse(
            sessions=[schema.SessionInfo(session_id=name, cwd="/", title="A text") for name in self._said]
        )

    async def close_session(self, session_id: str, **_: Any) -> schema.CloseSessionResponse:
        note("session/close", session=session_id)
        return schema.CloseSessionResponse()

    async def set_config_option(
        self, config_id: str, session_id: str, value: str | bool, **_: Any
    ) -> schema.SetSessionConfigOptionResponse:
        note("session/set_config_option", option=config_id, value=value)
        self._effort = str(value)
        return schema.SetSessionConfigOptionResponse(config_options=self._options())

    async def prompt(self, prompt: list[Any], session_id: str, **_: Any) -> schema.PromptResponse:
        text = " ".join(block.text for block in prompt if block.type == "text")
        note("session/prompt", session=session_id, kinds=[block.type for block in prompt])
        self._stopped[session_id] = asyncio.Event()
        if "stop" in text.split():
            return await self._wait_for_the_stop(session_id)
        await self._tell(session_id, acp.update_agent_thought_text("Let me think."))
        await self._plan(session_id, "pending")
        chosen = await self._ask(session_id, "c1", "Write the file")
        if chosen == "go":
            await self._tell(session_id, acp.update_tool_call("c1", status="completed", raw_output={"lines": 1}))
            await self._plan(session_id, "completed")
        else:
            await self._tell(session_id, acp.update_tool_call("c1", status="failed"))
        said = "It is done." if chosen == "go" else "I was not allowed to."
        if self._asks_forms:
            said += f" Branch: {await self._which_branch(session_id)}."
        self._known(session_id).append(said)
        for word in said.split():
            await self._tell(session_id, acp.update_agent_message_text(f"{word} "))
        await self._tell(session_id, schema.UsageUpdate(session_update="usage_update", used=10, size=100))
        return schema.PromptResponse(stop_reason="end_turn")

    async def cancel(self, session_id: str, **_: Any) -> None:
        note("session/cancel", session=session_id)
        self._stopped[session_id].set()

    async def _wait_for_the_stop(self, session_id: str) -> schema.PromptResponse:
        both = asyncio.gather(self._ask(session_id, "c2", "One thing"), self._ask(session_id, "c3", "Another"))
        await self._stopped[session_id].wait()
        await both
        return schema.PromptResponse(stop_reason="cancelled")

    async def _ask(self, session_id: str, call: str, title: str) -> str:
        await self._tell(session_id, acp.start_tool_call(call, title, kind="edit", status="pending"))
        update = schema.ToolCallUpdate(
            tool_call_id=call, raw_input={"path": "a.md"}, content=[acp.tool_diff_content("a.md", "new", "old")]
        )
        answer = await self._client.request_permission(options=OPTIONS, session_id=session_id, tool_call=update)
        chosen = getattr(answer.outcome, "option_id", answer.outcome.outcome)
        note("answered", call=call, chosen=chosen)
        return str(chosen)

    async def _which_branch(self, session_id: str) -> str:
        branch = schema.ElicitationStringPropertySchema(type="string", title="Branch")
        form = schema.ElicitationSchema(properties={"branch": branch}, required=["branch"])
        mode = schema.ElicitationFormSessionMode(session_id=session_id, requested_schema=form)
        answer = await self._client.create_elicitation("Which branch?", mode)
        note("filled in", action=answer.action)
        return str(answer.content["branch"]) if answer.action == "accept" else "none"

    async def _plan(self, session_id: str, status: Any) -> None:
        await self._tell(session_id, acp.update_plan([acp.plan_entry("Write", priority="high", status=status)]))

    async def _tell(self, session_id: str, update: Any) -> None:
        await self._client.session_update(session_id, update)

    def _known(self, session_id: str) -> list[str]:
        if session_id not in self._said:
            raise acp.RequestError.resource_not_found(session_id)
        return self._said[session_id]

    def _options(self) -> list[Any]:
        levels = [schema.SessionConfigSelectOption(value=one, name=one.title()) for one in ("low", "high")]
        return [
            schema.SessionConfigOptionSelect(
                id="effort",
                name="Effort",
                category="thought_level",
                type="select",
                current_value=self._effort,
                options=levels,
            )
        ]


async def main(where: list[str]) -> None:
    agent = cast("Any", Scribe())
    if not where:
        await acp.run_agent(agent, use_unstable_protocol=True)
        return
    url, key = where
    stream = await create_websocket_stream(url, headers={"Authorization": f"Bearer {key}"})
    # The SDK counts two stable methods among the unstable ones.
    connection = AgentSideConnection(agent, stream, listening=False, use_unstable_protocol=True)
    await connection.listen()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
