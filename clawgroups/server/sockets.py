"""Daphne's WebSocket protocol with a bounded inbox, pings of our own and every close code."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from autobahn.websocket.protocol import PreparedMessage
from daphne.ws_protocol import WebSocketProtocol

from clawgroups.server.gate import Gate
from clawgroups.server.inbox import Inbox, Message
from clawgroups.server.limits import CLOSE_FLOOD, CLOSE_UNRESPONSIVE, Limits

SHARED = 256 * 1024  # characters of a frame that is kept for the next socket
PIECE = 256 * 1024  # bytes of a frame: whoever is small on the other side takes a long message bit by bit


def framed(text: str) -> bytes:
    """A text frame as it goes on the wire: no mask, as from a server, and no compression, as none is negotiated."""
    frame: bytes = PreparedMessage(text.encode(), False, False, True).payloadHybi
    return frame


shared_frame = lru_cache(maxsize=16)(framed)
"""The same, made once for all sockets that are sent the same."""


class BoundedSocket(WebSocketProtocol):
    """One WebSocket. Reading rests while the application has not taken what was read."""

    limits: Limits
    inbox: Inbox
    gate: Gate
    autoPingTimeout: float
    autoPingTimeoutCall: Any

    def onConnect(self, request: Any) -> Any:
        self.limits = self.factory.server_class.limits
        self.gate = Gate()
        self.inbox = Inbox(
            frames=self.limits.inbox_frames,
            size=self.limits.inbox_bytes,
            on_full=self.rest,
            on_relief=self.go_on,
        )
        self.maxMessagePayloadSize = self.maxFramePayloadSize = self.limits.message_limit(request.path)
        self.rested_at: float | None = None
        self.last_heard = self._read_by = time.monotonic()
        self._since_ping = 0
        return super().onConnect(request)

    def onOpen(self) -> None:
        # Until here the transport's producer was the HTTP channel that carried the upgrade.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.gate, True)
        super().onOpen()

    # Writing

    def wrote(self, message: Message) -> bool:
        """Write a text to an open socket; anything else is left to Daphne."""
        text = message.get("text") if message["type"] == "websocket.send" else None
        if not text or self.state != self.STATE_OPEN or self.send_queue:
            return False
        self._count(len(text))
        if len(text) <= SHARED:
            self.transport.write(shared_frame(text))
        else:
            self._write_in_pieces(text.encode())
        return True

    def _count(self, size: int) -> None:
        """Note until when a thin line is busy with what was written. A system takes more than its peer has read."""
        now, limits = time.monotonic(), self.limits
        self._since_ping += size
        self._read_by = min(max(now, self._read_by) + size / limits.thin_line, now + limits.thin_patience)

    def _write_in_pieces(self, payload: bytes) -> None:
        for at in range(0, len(payload), PIECE):
            is_last = at + PIECE >= len(payload)
            self.sendFrame(opcode=0 if at else 1, payload=payload[at : at + PIECE], fin=is_last)

    # Reading

    def dataReceived(self, data: bytes) -> None:
        # Without autobahn's own line in the log, which costs as much as the frame although nobody wants it.
        self._dataReceived(data)

    def processData(self) -> bool:
        # One read of the socket may hold thousands of small frames: stop between two of them as well.
        if self.rested_at is not None and self.state == self.STATE_OPEN:
            return False
        return bool(super().processData())

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.last_heard = time.monotonic()
        if self.state == self.STATE_OPEN:
            super().onMessage(payload, isBinary)

    def rest(self) -> None:
        """Stop reading. The peer's pongs are not read either, so no ping may time out meanwhile."""
        self.rested_at = time.monotonic()
        self.transport.pauseProducing()
        self._forget_ping()

    def go_on(self) -> None:
        """Take what was read but not yet cut into frames, then read on."""
        self.rested_at = None
        if self.state == self.STATE_CLOSED:
            return
        self.last_heard = time.monotonic()
        self.consumeData()
        if self.rested_at is None:
            self.transport.resumeProducing()

    # Life signs

    def onPong(self, payload: bytes) -> None:
        # Everything before the ping was read; what came after it is still on the way.
        self.last_heard = self._read_by = time.monotonic()
        size, self._since_ping = self._since_ping, 0
        self._count(size)

    def check_timeouts(self) -> None:
        """Called every two seconds: ping a silent peer, close one whose frames nobody could take for a minute."""
        now = time.monotonic()
        if self.state == self.STATE_CONNECTING:
            super().check_timeouts()
        elif self.state != self.STATE_OPEN:
            return
        elif self.rested_at is not None:
            if now - self.rested_at > self.limits.flood_timeout:
                self.close_now(CLOSE_FLOOD, "too many messages")
        elif self.autoPingTimeoutCall is None and now - self.last_heard >= self.limits.ping_interval:
            self.last_heard = now
            self.autoPingTimeout = self.limits.ping_timeout + max(0.0, self._read_by - now)
            self._since_ping = 0
            self._sendAutoPing()

    def onAutoPingTimeout(self) -> None:
        self.autoPingTimeoutCall = None
        self.close_now(CLOSE_UNRESPONSIVE, "no answer to a ping")

    def _forget_ping(self) -> None:
        if self.autoPingTimeoutCall is not None:
            self.autoPingTimeoutCall.cancel()
            self.autoPingTimeoutCall = None
        self.autoPingPending = None

    # Closing

    def close_now(self, code: int, reason: str) -> None:
        """Start the closing handshake, and read on so that it can end; frames that still come are dropped."""
        if self.state != self.STATE_OPEN:
            return
        self._forget_ping()
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode(), isReply=False)
        if self.rested_at is not None:
            self.go_on()

    def serverClose(self, code: int | None = None) -> None:
        # autobahn's sendClose refuses 1001 and 1012, which a server may very well send.
        self.close_now(1000 if code is None else code, "")

    async def delivered(self, message: Message) -> None:
        """Wait until the peer has read enough for more to be sent."""
        if message["type"] == "websocket.send":
            await self.gate.passed()
