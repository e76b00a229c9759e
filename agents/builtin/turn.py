"""One turn of one session: what the agent says, does and plans, and how it stops at once when told to."""

from __future__ import annotations

import asyncio
import re
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from acp.schema import (
    AgentMessageChunk,
    AgentPlanUpdate,
    ContentToolCallContent,
    PlanEntry,
    TextContentBlock,
    ToolCallLocation,
    ToolCallProgress,
    ToolCallStart,
    ToolKind,
)

from agents.builtin.failures import Stopped

P = ParamSpec("P")
T = TypeVar("T")
_PIECE = 160
_SENTENCE = re.compile(r"(?<=[.;:!?,]) ")


class Outlet(Protocol):
    """The side of the connection that takes updates."""

    async def session_update(self, session_id: str, update: Any, **kwargs: Any) -> None: ...


class Step:
    """One action in progress; what is noted is shown when it ends."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Add a line to what the step found or made."""
        self.notes.append(text)


class Turn:
    """Talks to the client for the length of one prompt. Every method raises `Stopped` once the turn is cancelled."""

    def __init__(self, outlet: Outlet, session_id: str, folder: Path, pace: float) -> None:
        self.folder = folder
        self._outlet = outlet
        self._session = session_id
        self._pace = pace
        self._cancelled = asyncio.Event()
        self._flag = threading.Event()
        self._entries: list[str] = []
        self._done = 0

    def cancel(self) -> None:
        """Stop at the next step; safe to call twice."""
        self._flag.set()
        self._cancelled.set()

    def check(self) -> None:
        """Raise `Stopped` if the turn is cancelled; for loops in worker threads too."""
        if self._flag.is_set():
            raise Stopped

    async def plan(self, entries: Sequence[str]) -> None:
        """Show the steps ahead; the first is in progress."""
        self._entries, self._done = list(entries), 0
        await self._show_plan()

    async def advance(self) -> None:
        """Mark the step in progress as completed and go on to the next."""
        self._done = min(self._done + 1, len(self._entries))
        await self._show_plan()

    async def say(self, text: str) -> None:
        """Stream a whole message in small pieces, so that a person can follow it and step in."""
        message = uuid.uuid4().hex
        for piece in pieces(text):
            content = TextContentBlock(type="text", text=piece)
            chunk = AgentMessageChunk(session_update="agent_message_chunk", content=content, message_id=message)
            await self._send(chunk)
            await self._rest()

    @asynccontextmanager
    async def step(self, title: str, kind: ToolKind, path: str = "") -> AsyncIterator[Step]:
        """Show one action as a tool call from start to end, failed if an error leaves the block."""
        call, step = uuid.uuid4().hex, Step()
        places = [ToolCallLocation(path=str(self.folder / path))] if path else None
        start = ToolCallStart(
            session_update="tool_call",
            tool_call_id=call,
            title=title,
            kind=kind,
            status="in_progress",
            locations=places,
        )
        await self._send(start)
        try:
            yield step
        except Stopped:
            with suppress(ConnectionError):
                await self._outlet.session_update(self._session, _ended(call, ["Stopped."], failed=True))
            raise
        except Exception as error:
            await self._outlet.session_update(self._session, _ended(call, [str(error)], failed=True))
            raise
        await self._send(_ended(call, step.notes, failed=False))

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a thread. On cancel this raises at once, and the thread stops at its next check."""
        self.check()
        running = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
        stopping = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            stopping.cancel()
            if not running.done():
                running.add_done_callback(_forget)
        self.check()
        return running.result()

    async def _rest(self) -> None:
        # Even without a pause the loop gets its turn, so that a cancel that has arrived is seen.
        await asyncio.sleep(0)
        if self._pace > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._cancelled.wait(), self._pace)
        self.check()

    async def _show_plan(self) -> None:
        entries = []
        for number, content in enumerate(self._entries):
            status = "completed" if number < self._done else "in_progress" if number == self._done else "pending"
            entries.append(PlanEntry.model_validate({"content": content, "priority": "medium", "status": status}))
        await self._send(AgentPlanUpdate(session_update="plan", entries=entries))

    async def _send(self, update: Any) -> None:
        self.check()
        await self._outlet.session_update(self._session, update)


def _ended(call: str, notes: list[str], *, failed: bool) -> ToolCallProgress:
    content = [
        ContentToolCallContent(type="content", content=TextContentBlock(type="text", text=note))
        for note in notes
        if note
    ]
    return ToolCallProgress(
        session_update="tool_call_update",
        tool_call_id=call,
        status="failed" if failed else "completed",
        content=list(content) or None,
    )


def _forget(running: asyncio.Future[Any]) -> None:
    # The turn has gone on without this thread; asking for its outcome keeps it from being reported as never retrieved.
    if not running.cancelled():
        running.exception()


def pieces(text: str) -> list[str]:
    """A text cut into lines, long lines into clauses; joined they are the text again."""
    found: list[str] = []
    for line in text.splitlines(keepends=True):
        start = 0
        while len(line) - start > _PIECE:
            cut = _SENTENCE.search(line, start + _PIECE // 2)
            end = cut.end() if cut and cut.end() - start <= 2 * _PIECE else start + _PIECE
            found.append(line[start:end])
            start = end
        if start < len(line):
            found.append(line[start:])
    return found
