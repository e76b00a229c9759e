"""What a connection has received and the application has not yet taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

Message = dict[str, Any]


def _size(message: Message) -> int:
    text = message.get("text")
    return len(text) if text is not None else len(message.get("bytes") or b"")


class Inbox:
    """An application's queue that says when it is full, and when it has come down to half.

    It takes whatever it is given: the caller stops reading the socket at `on_full` and goes on at `on_relief`.
    """

    def __init__(self, *, frames: int, size: int, on_full: Callable[[], None], on_relief: Callable[[], None]) -> None:
        self._max_frames, self._max_bytes = frames, size
        self._on_full, self._on_relief = on_full, on_relief
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._frames = self._bytes = 0
        self.full = False

    def put_nowait(self, message: Message) -> None:
        self._queue.put_nowait(message)
        if message["type"] != "websocket.receive":
            return
        self._frames += 1
        self._bytes += _size(message)
        if not self.full and (self._frames >= self._max_frames or self._bytes >= self._max_bytes):
            self.full = True
            self._on_full()

    async def get(self) -> Message:
        message = await self._queue.get()
        if message["type"] == "websocket.receive":
            self._frames -= 1
            self._bytes -= _size(message)
            if self.full and self._frames <= self._max_frames // 2 and self._bytes <= self._max_bytes // 2:
                self.full = False
                self._on_relief()
        return message


class Body(Protocol):
    """The file that Twisted has spooled a request's body into."""

    @property
    def closed(self) -> bool: ...
    def read(self, size: int = -1, /) -> bytes: ...
    def close(self) -> None: ...


class TakenBody:
    """Stands in for a request's body where Daphne would read all of it into memory: an empty file."""

    def __init__(self, body: Body) -> None:
        self._body = body

    @property
    def closed(self) -> bool:
        return self._body.closed

    def read(self, size: int = -1, /) -> bytes:
        return b""

    def close(self) -> None:
        self._body.close()


class BodyInbox:
    """An HTTP application's queue that reads the body from its file, piece by piece, as the application asks."""

    def __init__(self, body: Body, *, piece: int = 65536) -> None:
        self._body, self._piece = body, piece
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._begun = self._spent = False

    def put_nowait(self, message: Message) -> None:
        self._queue.put_nowait(message)

    async def get(self) -> Message:
        if not self._begun:
            # Daphne's own first (empty) piece says that the request is complete; ours take its place.
            first = await self._queue.get()
            if first["type"] != "http.request":
                return first
            self._begun = True
        if self._spent or self._body.closed:
            return await self._queue.get()
        chunk = self._body.read(self._piece)
        self._spent = len(chunk) < self._piece
        return {"type": "http.request", "body": chunk, "more_body": not self._spent}
