"""An ACP agent around a kind of work: sessions, prompts, cancellation. The work itself is passed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION
from acp.schema import (
    AgentCapabilities,
    Implementation,
    InitializeResponse,
    PromptCapabilities,
    SessionCapabilities,
    SessionCloseCapabilities,
    StopReason,
)

from agents.builtin import __version__
from agents.builtin.brief import Brief, read_brief
from agents.builtin.failures import NoInputError, Stopped, TableError
from agents.builtin.sessions import META, Session, SessionAgent
from agents.builtin.turn import Turn

TALK = "talk"
INTRODUCTION = (
    "I am the built-in {title}, a program without a language model, so I cannot answer questions. {does} "
    "Send me files together with the message, or give the workspace a goal; for answers in words connect an agent that "
    "has a model."
)
Work = Callable[[Turn, Brief], Awaitable[None]]


@dataclass(frozen=True)
class Spec:
    """How an agent presents itself, and the kind of work it does when a task names none that is known."""

    name: str
    title: str
    description: str
    skills: tuple[str, ...]
    kind: str


class BuiltinAgent(SessionAgent[Session]):
    """The agent's side of ACP."""

    def __init__(self, spec: Spec, works: Mapping[str, Work], acknowledge: Work, pace: float) -> None:
        super().__init__()
        self._spec = spec
        self._works = works
        self._acknowledge = acknowledge
        self.pace = pace

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

    def _open(self, session_id: str, folder: Path, servers: Sequence[Any]) -> Session:
        return Session(folder)

    async def _take(self, session: Session, turn: Turn, text: str, ours: Any) -> StopReason:
        brief = read_brief(text, ours)
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
