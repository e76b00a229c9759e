"""An ACP agent around a kind of work: sessions, prompts, cancellation. The work itself is passed in."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, RequestError
from acp.schema import (
    AgentCapabilities,
    CloseSessionResponse,
    EmbeddedResourceContentBlock,
    Implementation,
    InitializeResponse,
    NewSessionResponse,
    PromptCapabilities,
    PromptResponse,
    ResourceContentBlock,
    SessionCapabilities,
    SessionCloseCapabilities,
    StopReason,
    TextContentBlock,
    TextResourceContents,
)

from agents.builtin import __version__
from agents.builtin.brief import Brief, read_brief
from agents.builtin.failures import NoInputError, Stopped, TableError
from agents.builtin.turn import Outlet, Turn

META = "clawgroups"
TALK = "talk"
INTRODUCTION = (
    "I am the built-in {title}, a program without a language model, so I cannot answer questions. {does} "
    "Send me files together with the message, or give the workspace a goal; for answers in words connect an agent that "
    "has a model."
)
Work = Callable[[Turn, Brief], Awaitable[None]]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spec:
    """How an agent presents itself, and the kind of work it does when a task names none that is known."""

    name: str
    title: str
    description: str
    skills: tuple[str, ...]
    kind: str


@dataclass
class Session:
    """One conversation: its folder and the turn that runs, if any."""

    folder: Path
    turn: Turn | None = None


class BuiltinAgent:
    """The agent's side of ACP. It implements exactly the methods it offers: the SDK answers -32601 to the others."""

    def __init__(self, spec: Spec, works: Mapping[str, Work], acknowledge: Work, pace: float) -> None:
        self._spec = spec
        self._works = works
        self._acknowledge = acknowledge
        self._pace = pace
        self._sessions: dict[str, Session] = {}
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
                session_capabilities=SessionCapabilities(close=SessionCloseCapabilities()),
            ),
            agent_info=Implementation(name=self._spec.name, title=self._spec.title, version=__version__),
            auth_methods=[],
            field_meta={META: {"description": self._spec.description, "skills": list(self._spec.skills)}},
        )

    async def new_session(self, cwd: str, **_: Any) -> NewSessionResponse:
        """Open a session in a folder of this machine."""
        folder = Path(cwd)
        if not folder.is_absolute() or not await asyncio.to_thread(folder.is_dir):
            raise RequestError.invalid_params({"cwd": "this is not a folder on the agent's machine", "given": cwd})
        session_id = uuid.uuid4().hex
        self._sessions[session_id] = Session(folder)
        return NewSessionResponse(session_id=session_id)

    async def prompt(self, prompt: list[Any], session_id: str, **meta: Any) -> PromptResponse:
        """Do one turn; the answer comes when it has ended."""
        session = self._session(session_id)
        if session.turn is not None:
            raise RequestError.invalid_request({"details": "a turn is already running in this session"})
        assert self._client is not None
        turn = session.turn = Turn(self._client, session_id, session.folder, self._pace)
        try:
            return PromptResponse(stop_reason=await self._run(turn, read_brief(text_of(prompt), meta.get(META))))
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

    def _session(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            raise RequestError.resource_not_found(f"session {session_id}")
        return session

    async def _run(self, turn: Turn, brief: Brief) -> StopReason:
        try:
            await self._work_for(brief)(turn, brief)
        except Stopped:
            return "cancelled"
        except (NoInputError, TableError) as refusal:
            return await self._refuse(turn, str(refusal))
        return "end_turn"

    async def _refuse(self, turn: Turn, reason: str) -> StopReason:
        try:
            await turn.say(reason)
        except Stopped:
            return "cancelled"
        return "refusal"

    def _work_for(self, brief: Brief) -> Work:
        if brief.turn == "acknowledge":
            return self._acknowledge
        if brief.kind == TALK and not brief.inputs:
            return self._introduce
        return self._works.get(brief.kind) or self._works[self._spec.kind]

    async def _introduce(self, turn: Turn, brief: Brief) -> None:
        """Nobody here reads a question: say what can be had instead."""
        await turn.say(INTRODUCTION.format(title=self._spec.title, does=self._spec.description))


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
