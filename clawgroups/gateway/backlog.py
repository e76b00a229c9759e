"""What a socket has heard and nobody has handled yet: in order, bounded, one reader and one worker."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agents.protocol.peer import JsonObject, RpcError, RpcId
from agents.protocol.updates import AgentUpdate, ToolCall
from clawgroups.core.transcript import DecidedThere
from clawgroups.models import Command

MAX_ITEMS = 256
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Item:
    """Something heard. `frame` is its number on the link; 0 when it is not counted."""

    frame: int


@dataclass(frozen=True, slots=True)
class Nothing(Item):
    """A frame that needs no more than to be counted."""


@dataclass(frozen=True, slots=True)
class Told(Item):
    """An update of a session, named by the agent's own id for it."""

    acp_id: str
    update: AgentUpdate
    size: int


@dataclass(frozen=True, slots=True)
class Asked(Item):
    """A question to people: a permission request, or a form."""

    request_id: RpcId
    method: str
    params: JsonObject


@dataclass(frozen=True, slots=True)
class Withdrawn(Item):
    """The agent takes one of its requests back."""

    request_id: Any


@dataclass(frozen=True, slots=True)
class Answered(Item):
    """An answer to something of ours, as far as its id says."""

    frame_id: RpcId
    result: Any
    error: RpcError | None


@dataclass(frozen=True, slots=True)
class Store(Item):
    """Somebody wants everything heard so far to stand in rows; they wait for the word under `token`."""

    token: str


@dataclass(frozen=True, slots=True)
class Moves(Item):
    """The next prompt of a session belongs to another attempt: `sent` is told the row as it is to go out, or None."""

    command: Command
    sent: asyncio.Future[Command | None]


@dataclass(frozen=True, slots=True)
class StepOver(Item):
    """Something waits for the end of the step that a session's turn is in: is it over?"""

    session_id: UUID


@dataclass(frozen=True, slots=True)
class Noted(Item):
    """The connector knows that its result for the prompt `request` came too late."""

    request: str


@dataclass(frozen=True, slots=True)
class Allows(Item):
    """The connector says what the owner of its machine allows there."""

    policy: JsonObject


@dataclass(frozen=True, slots=True)
class Decided(Item):
    """The connector says that a permission request was answered there; `call` is what the agent asked for."""

    acp_id: str
    call: ToolCall | None
    decision: DecidedThere
    size: int


@dataclass(frozen=True, slots=True)
class Overdue(Item):
    """A request that was not answered in its time."""

    command_id: UUID


@dataclass(frozen=True, slots=True)
class Violated(Item):
    """A frame broke the protocol."""


@dataclass(frozen=True, slots=True)
class Exited(Item):
    """The agent's process has ended; nothing more comes on this link."""

    reason: str


class Backlog:
    """A queue whose writer waits for room, so that the socket is not read faster than it is handled."""

    def __init__(self, *, items: int = MAX_ITEMS, size: int = MAX_BYTES) -> None:
        self._max_items, self._max_size = items, size
        self._waiting: deque[tuple[Item, int]] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.closed = False

    def put(self, item: Item, size: int = 0) -> None:
        """Add an item; whoever adds many waits for `room` in between."""
        if self.closed:
            return
        self._waiting.append((item, size))
        self._size += size
        self._news.set()
        if len(self._waiting) >= self._max_items or self._size >= self._max_size:
            self._room.clear()

    async def room(self) -> None:
        """Wait until there is room again (or nobody takes anything any more)."""
        await self._room.wait()

    async def get(self, timeout: float) -> Item | None:
        """The next item; None when `timeout` has passed, or when it is closed and empty."""
        if not self._waiting and not self.closed and timeout > 0:
            self._news.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._news.wait()
            except TimeoutError:
                return None
        if not self._waiting:
            return None
        item, size = self._waiting.popleft()
        self._size -= size
        if len(self._waiting) <= self._max_items // 2 and self._size <= self._max_size // 2:
            self._room.set()
        return item

    @property
    def finished(self) -> bool:
        """Closed, and everything was taken."""
        return self.closed and not self._waiting

    def close(self, *, drop: bool = False) -> None:
        """Take nothing more; what waits is still handed out unless dropped."""
        self.closed = True
        if drop:
            self._waiting.clear()
            self._size = 0
        self._news.set()
        self._room.set()
