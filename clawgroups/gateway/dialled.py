"""A socket that we have opened ourselves, as the rest of the gateway sees an ASGI one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from django.conf import settings
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from agents.protocol import version

LOOK = 2.0
PING = 10.0  # seconds of silence after which we ask whether it is still there
PONG = 30.0  # that it may take to answer
STUCK = 60.0  # that what it has sent may wait for us


class Dialled:
    """Frames in as ASGI messages, frames out from ASGI messages, pings, and how it ended.

    Nothing is read ahead but a few frames: while the application does not ask for the next one, the agent waits. Its
    pongs wait in the same line, so none is missed then.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._heard = time.monotonic()
        self._handed: float | None = None
        self._pinged = False
        self.code: int | None = None
        """The code by which we have closed it, if it was us."""
        self.reason = ""

    @property
    def theirs(self) -> tuple[int, str]:
        """The code and the reason by which the other side has closed it; 1006 where it said nothing."""
        received = self._connection.protocol.close_rcvd
        return (1006, "") if received is None else (int(received.code), received.reason)

    async def receive(self) -> dict[str, Any]:
        """ASGI's `receive`. Binary frames are no ACP and are left out."""
        self._alive()
        self._handed = None
        try:
            while True:
                message = await self._connection.recv()
                if isinstance(message, str):
                    self._handed = time.monotonic()
                    return {"type": "websocket.receive", "text": message}
                self._alive()
        except ConnectionClosed:
            return {"type": "websocket.disconnect", "code": self.theirs[0]}

    async def send(self, message: dict[str, Any]) -> None:
        """ASGI's `send`; waits while the agent does not read. A connection that is gone takes nothing."""
        if message["type"] == "websocket.close":
            await self.close(int(message.get("code", 1000)), str(message.get("reason", "")))
            return
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(str(message["text"]))

    async def close(self, code: int, reason: str) -> None:
        """Close it, for this reason."""
        if self.code is None:
            self.code, self.reason = code, reason
        await self._connection.close(code, reason)

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Within it the other side is asked for signs of life; at the end the connection is closed."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self._connection.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK * settings.CLOCK_SCALE)
            now = time.monotonic()
            if self._handed is not None:
                if now - self._handed > STUCK * settings.CLOCK_SCALE:
                    await self.close(version.CLOSE_FLOOD, "Too many messages.")
                    return
                continue
            silent = now - self._heard
            if silent > (PING + PONG) * settings.CLOCK_SCALE:
                await self.close(version.CLOSE_UNRESPONSIVE, "No answer to a ping.")
                return
            if silent > PING * settings.CLOCK_SCALE and not self._pinged:
                await self._ping()

    async def _ping(self) -> None:
        """Ask; the answer counts as heard. Writing it may take long where the other side does not read."""
        self._pinged = True
        try:
            async with asyncio.timeout(PING * settings.CLOCK_SCALE):
                pong = await self._connection.ping()
        except (TimeoutError, ConnectionClosed):
            return
        asyncio.ensure_future(pong).add_done_callback(self._answered)

    def _answered(self, pong: asyncio.Future[float]) -> None:
        if not pong.cancelled() and pong.exception() is None:
            self._alive()

    def _alive(self) -> None:
        self._heard = time.monotonic()
        self._pinged = False
