"""The sessions of an ACP agent: each has a folder and one turn at a time. What a turn does is the subclass's."""

from __future__ import annotations

import asyncio
import logging
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from acp import RequestError
from acp.schema import (
    CloseSessionResponse,
    EmbeddedResourceContentBlock,
    NewSessionResponse,
    PromptResponse,
    ResourceContentBlock,
    StopReason,
    TextContentBlock,
    TextResourceContents,
)

from agents.builtin.turn import Outlet, Turn

META = "clawgroups"
log = logging.getLogger(__name__)


@dataclass
class Session:
    """One conversation: its folder and the turn that runs, if any."""

    folder: Path
    turn: Turn | None = None


Kind = TypeVar("Kind", bound=Session)


class SessionAgent(ABC, Generic[Kind]):
    """The agent's side of ACP but for `initialize`. It has exactly the methods that are offered: the SDK answers -32601
    to the others.
    """

    pace = 0.0
    """Seconds between two pieces of what it says."""

    def __init__(self) -> None:
        self._sessions: dict[str, Kind] = {}
        """The one that was used last comes last."""
        self._client: Outlet | None = None

    @abstractmethod
    def _open(self, session_id: str, folder: Path, servers: Sequence[Any]) -> Kind:
        """A new session, with the MCP servers it is offered. Raises RequestError."""

    @abstractmethod
    async def _take(self, session: Kind, turn: Turn, text: str, ours: Any) -> StopReason:
        """One turn: the words of the prompt, and what the workspace says of it. Raises RequestError."""

    def on_connect(self, conn: Outlet) -> None:
        """Called by the SDK with the connection to the client."""
        self._client = conn

    async def new_session(self, cwd: str, mcp_servers: Sequence[Any] | None = None, **_: Any) -> NewSessionResponse:
        """Open a session in a folder of this machine."""
        folder = Path(cwd)
        if not folder.is_absolute() or not await asyncio.to_thread(folder.is_dir):
            raise RequestError.invalid_params({"cwd": "this is not a folder on the agent's machine", "given": cwd})
        session_id = uuid.uuid4().hex
        self._sessions[session_id] = self._open(session_id, folder, mcp_servers or ())
        return NewSessionResponse(session_id=session_id)

    async def prompt(self, prompt: list[Any], session_id: str, **meta: Any) -> PromptResponse:
        """Do one turn; the answer comes when it has ended."""
        session = self._session(session_id)
        if session.turn is not None:
            raise RequestError.invalid_request({"details": "a turn is already running in this session"})
        assert self._client is not None
        turn = session.turn = Turn(self._client, session_id, session.folder, self.pace)
        self._sessions[session_id] = self._sessions.pop(session_id)
        try:
            return PromptResponse(stop_reason=await self._take(session, turn, text_of(prompt), meta.get(META)))
        finally:
            turn.cancel()
            session.turn = None

    async def cancel(self, session_id: str, **_: Any) -> None:
        """End the running turn of a session, if there is one."""
        session = self._sessions.get(session_id)
        if session is not None and session.turn is not None:
            session.turn.cancel()

    async def close_session(self, session_id: str, **_: Any) -> CloseSessionResponse:
        """Stop what runs and forget the session."""
        await self.cancel(session_id)
        self._session(session_id)
        del self._sessions[session_id]
        return CloseSessionResponse()

    async def ext_method(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """No extension is offered."""
        raise RequestError.method_not_found(f"_{method}")

    async def ext_notification(self, method: str, params: dict[str, Any]) -> None:
        """Unknown notifications are passed over."""

    def _session(self, session_id: str) -> Kind:
        session = self._sessions.get(session_id)
        if session is None:
            raise RequestError.resource_not_found(f"session {session_id}")
        return session


def text_of(prompt: list[Any]) -> str:
    """The words of a prompt: its text blocks and the text of embedded resources; links are found in the folder."""
    parts = []
    for block in prompt:
        if isinstance(block, TextContentBlock):
            parts.append(block.text)
        elif isinstance(block, EmbeddedResourceContentBlock) and isinstance(block.resource, TextResourceContents):
            parts.append(block.resource.text)
        elif not isinstance(block, ResourceContentBlock):
            log.info("a block of type %s was passed over", getattr(block, "type", "?"))
    return "\n\n".join(parts)
