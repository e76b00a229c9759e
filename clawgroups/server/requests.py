"""Daphne's HTTP request with a cap on the body, a body read from its file and a response that waits for its reader."""

from __future__ import annotations

from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet.interfaces import IAddress

from clawgroups.server.gate import Gate
from clawgroups.server.inbox import Message

TOO_LARGE = (
    b"HTTP/1.1 413 Content Too Large\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n"
    b'{"type":"about:blank","title":"The request is larger than this server takes.","status":413,"code":"too_large"}'
)


class BoundedRequest(WebRequest):
    """One HTTP request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gate = Gate()
        self.gated = False
        self.body_bytes = 0
        self.kinds: list[bytes] = []

    # Reading

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Twisted's own, without its reading of forms: all of an upload in memory, parsed in the loop."""
        self.kinds = self.requestHeaders.getRawHeaders(b"content-type") or []
        self.requestHeaders.removeHeader(b"content-type")
        super().requestReceived(command, path, version)

    def process(self) -> None:
        if self.kinds:
            self.requestHeaders.setRawHeaders(b"content-type", self.kinds)
        super().process()

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if length is not None and length > self.server.limits.body_bytes:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self.body_bytes += len(data)
        if self.body_bytes > self.server.limits.body_bytes:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def _refuse(self) -> None:
        self.body_bytes = self.server.limits.body_bytes
        self.channel.transport.write(TOO_LARGE)
        self.channel.loseConnection()

    # Writing

    def handle_reply(self, message: Message) -> None:
        if self.finished or self.channel is None:
            return
        if message["type"] == "http.response.body":
            more = bool(message.get("more_body", False))
            if more and not self.gated:
                self.gated = True
                self.registerProducer(self.gate, True)
            elif not more and self.gated:
                self.gated = False
                self.unregisterProducer()
        super().handle_reply(message)

    async def delivered(self, message: Message) -> None:
        """Wait until the peer has read enough for more to be sent."""
        if self.gated:
            await self.gate.passed()


class BoundedHTTPFactory(HTTPFactory):
    """Makes channels whose requests are bounded."""

    def buildProtocol(self, addr: IAddress) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol
