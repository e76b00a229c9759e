"""The sub-agents as one ACP agent: each session of the connection is one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, RequestError
from acp.schema import (
    AgentCapabilities,
    Implementation,
    InitializeResponse,
    McpCapabilities,
    PromptCapabilities,
    SessionCapabilities,
    SessionCloseCapabilities,
    StopReason,
)

from agents.builtin.sessions import META, Session, SessionAgent
from agents.builtin.turn import Turn
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


class Held(Session):
    """A sub-agent and the turn that it is at, if any."""

    def __init__(self, folder: Path, worker: SubAgent) -> None:
        super().__init__(folder)
        self.worker = worker


class SwarmAgent(SessionAgent[Held]):
    """The agent's side of ACP."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

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

    def _open(self, session_id: str, folder: Path, servers: Sequence[Any]) -> Held:
        if sum(one.turn is not None for one in self._sessions.values()) >= self._engine.sessions:
            said = f"all {self._engine.sessions} sub-agents are at work"
            raise RequestError(version.RATE_LIMITED, said, {"retry_after": 30})
        self._tidy()
        return Held(folder, SubAgent(self._engine, session_id, folder, Toolbox.of(servers)))

    async def _take(self, session: Held, turn: Turn, text: str, ours: Any) -> StopReason:
        try:
            return await session.worker.take(turn, read_prompt(text, ours))
        except Fault as fault:
            raise _as_error(fault) from None

    def _tidy(self) -> None:
        """Servers do not say when a session is over: of those that rest longest only what must survive is kept."""
        resting = [pk for pk, held in self._sessions.items() if held.turn is None]
        for pk in resting[: max(0, len(self._sessions) + 1 - self._engine.sessions)]:
            self._sessions[pk].worker.shrink()
        for pk in resting[: max(0, len(self._sessions) + 1 - KEPT * self._engine.sessions)]:
            del self._sessions[pk]


def _as_error(fault: Fault) -> RequestError:
    """What a fault of the model is to the server: a login that is missing, a quota that is used up, or an error."""
    if fault.kind is FaultKind.KEY:
        return RequestError(version.AUTH_REQUIRED, f"the model's server does not take the key: {fault}")
    if fault.kind in (FaultKind.QUOTA, FaultKind.BUSY):
        again = {"retryAfter": math.ceil(fault.again_in)} if fault.again_in else None
        return RequestError(version.INTERNAL_ERROR, f"the model's server gives no more for now (quota): {fault}", again)
    return RequestError(version.INTERNAL_ERROR, f"the model cannot be asked: {fault}")
