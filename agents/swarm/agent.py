"""The sub-agents as one ACP agent: each session of the connection is one of them."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, RequestError
from acp.schema import (
    AgentCapabilities,
    CloseSessionResponse,
    Implementation,
    InitializeResponse,
    McpCapabilities,
    NewSessionResponse,
    PromptCapabilities,
    PromptResponse,
    SessionCapabilities,
    SessionCloseCapabilities,
)

from agents.builtin.agent import META, text_of
from agents.builtin.turn import Outlet, Turn
from agents.llm.base import Fault, FaultKind
from agents.protocol import version
from agents.swarm import __version__
from agents.swarm.engine import Engine
from agents.swarm.learning import read_prompt
from agents.swarm.toolbox import Toolbox
from agents.swarm.worker import SubAgent

# A session that rests is kept small, and forgotten once so many times as many others rest as may work.
KEPT = 20
_DESCRIPTION = "Sub-agents on a model: each session works on one task with files and the workspace's tools."


@dataclass
class Held:
    """A sub-agent and the turn that it is at, if any."""

    folder: Path
    worker: SubAgent
    turn: Turn | None = None


class SwarmAgent:
    """The agent's side of ACP. It implements exactly the methods it offers: the SDK answers -32601 to the others."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[str, Held] = {}
        self._client: Outlet | None = None

    def on_connect(self, conn: Outlet) -> None:
        """Called by the SDK with the connection to the client."""
        self._client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> InitializeResponse:
        """Say who this is and what it can take."""
        return InitializeResponse(
            protocol_version=PROTOCOL_VERSION,
            agent_capabilities=AgentCapabilities(
                load_session=False,
                prompt_capabilities=PromptCapabilities(embedded_context=True),
                mcp_capabilities=McpCapabilities(http=True),
                session_capabilities=SessionCapabilities(close=SessionCloseCapabilities()),
            ),
            agent_info=Implementation(name="swarm", title="Swarm", version=__version__),
            auth_methods=[],
            field_meta={META: {"description": _DESCRIPTION, "model": self._engine.endpoint.model}},
        )

    async def new_session(self, cwd: str, mcp_servers: Sequence[Any] | None = None, **_: Any) -> NewSessionResponse:
        """A new sub-agent in a folder of this machine."""
        folder = Path(cwd)
        if not folder.is_absolute() or not await asyncio.to_thread(folder.is_dir):
            raise RequestError.invalid_params({"cwd": "this is not a folder on the agent's machine", "given": cwd})
        if sum(one.turn is not None for one in self._held.values()) >= self._engine.sessions:
            said = f"all {self._engine.sessions} sub-agents are at work"
            raise RequestError(version.RATE_LIMITED, said, {"retry_after": 30})
        self._tidy()
        pk = uuid.uuid4().hex
        self._held[pk] = Held(folder, SubAgent(self._engine, pk, folder, Toolbox.of(mcp_servers or ())))
        return NewSessionResponse(session_id=pk)

    async def prompt(self, prompt: list[Any], session_id: str, **meta: Any) -> PromptResponse:
        """One turn; the answer comes when it is over."""
        held = self._one(session_id)
        if held.turn is not None:
            raise RequestError.invalid_request({"details": "a turn is already running in this session"})
        assert self._client is not None
        turn = held.turn = Turn(self._client, session_id, held.folder, 0.0)
        # The last one is the one that was used last.
        self._held[session_id] = self._held.pop(session_id)
        try:
            asked = read_prompt(text_of(prompt), meta.get(META))
            return PromptResponse(stop_reason=await held.worker.take(turn, asked))
        except Fault as fault:
            raise _as_error(fault) from None
        finally:
            turn.cancel()
            held.turn = None

    async def cancel(self, session_id: str, **_: Any) -> None:
        """End the running turn of a session, if there is one."""
        held = self._held.get(session_id)
        if held is not None and held.turn is not None:
            held.turn.cancel()

    async def close_session(self, session_id: str, **_: Any) -> CloseSessionResponse:
        """Stop what runs and forget the session."""
        await self.cancel(session_id)
        self._one(session_id)
        del self._held[session_id]
        return CloseSessionResponse()

    async def ext_method(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """No extension is offered."""
        raise RequestError.method_not_found(f"_{method}")

    async def ext_notification(self, method: str, params: dict[str, Any]) -> None:
        """Unknown notifications are passed over."""

    def _one(self, session_id: str) -> Held:
        held = self._held.get(session_id)
        if held is None:
            raise RequestError.resource_not_found(f"session {session_id}")
        return held

    def _tidy(self) -> None:
        """Servers do not say when a session is over: of those that rest longest only what must survive is kept."""
        resting = [pk for pk, held in self._held.items() if held.turn is None]
        for pk in resting[: max(0, len(self._held) + 1 - self._engine.sessions)]:
            self._held[pk].worker.shrink()
        for pk in resting[: max(0, len(self._held) + 1 - KEPT * self._engine.sessions)]:
            del self._held[pk]


def _as_error(fault: Fault) -> RequestError:
    """What a fault of the model is to the server: a login that is missing, a quota that is used up, or an error."""
    if fault.kind is FaultKind.KEY:
        return RequestError(version.AUTH_REQUIRED, f"the model's server does not take the key: {fault}")
    if fault.kind in (FaultKind.QUOTA, FaultKind.BUSY):
        again = {"retryAfter": math.ceil(fault.again_in)} if fault.again_in else None
        return RequestError(version.INTERNAL_ERROR, f"the model's server gives no more for now (quota): {fault}", again)
    return RequestError(version.INTERNAL_ERROR, f"the model cannot be asked: {fault}")
