"""Daphne's HTTP request with a cap on the body, a body read from its file and a response that waits for its reader."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet.interfaces import IAddress

from clawgroups.server.gate import Gate
from clawgroups.server.inbox import Message

REFUSED = b"HTTP/1.1 413 Content Too Large\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
TLS = b"\x16\x03"
"""How somebody begins who speaks https."""
NO_TLS = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
SAY_HTTP = b"This is http, not https: write http:// in front of the address, or put a proxy with a certificate here.\n"
TOO_LARGE = (
    b'{"type":"about:blank","title":"The request is larger than this server takes.","status":413,"code":"too_large"}'
)


class Bodies(Protocol):
    """What an application says about the bodies it takes: its attribute `bodies`, if it has one."""

    @property
    def limit(self) -> int:
        """The largest one, in bytes."""
        ...

    def refusal(self, accept: bytes) -> tuple[bytes, bytes]:
        """Content type and body of the answer to a larger one."""
        ...


class BoundedRequest(WebRequest):
    """One HTTP request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gate = Gate()
        self.gated = False
        self.body_bytes = 0
        self.refused = False
        self.kinds: list[bytes] = []

    # Reading

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Twisted's own, without its reading of forms: all of an upload in memory, parsed in the loop."""
        if self.refused:
            self.channel.loseConnection()
            return
        self.kinds = self.requestHeaders.getRawHeaders(b"content-type") or []
        self.requestHeaders.removeHeader(b"content-type")
        super().requestReceived(command, path, version)

    def process(self) -> None:
        if self.kinds:
            self.requestHeaders.setRawHeaders(b"content-type", self.kinds)
        super().process()

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if length is not None and length > self._most():
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self.body_bytes += len(data)
        if self.refused:
            return
        if self.body_bytes > self._most():
            self._refuse()
        else:
            super().handleContentChunk(data)

    def _most(self) -> int:
        bodies, most = self.server.bodies, int(self.server.limits.body_bytes)
        return most if bodies is None else min(most, bodies.limit)

    def _refuse(self) -> None:
        """Answer at once, then read on for a while and keep nothing: a peer whose connection is reset while it
        still sends never gets to see the answer."""
        self.refused = True
        kind, body = b"application/problem+json", TOO_LARGE
        if self.server.bodies is not None:
            kind, body = self.server.bodies.refusal(self.getHeader(b"accept") or b"")
        self.channel.transport.write(REFUSED % (kind, len(body), body))
        self.channel.callLater(self.server.limits.linger_seconds, self._cut)

    def _cut(self) -> None:
        if self.channel is not None:
            self.channel.forceAbortClient()

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
        protocol.dataReceived = partial(_first, protocol)
        return protocol


def _first(protocol: Any, data: bytes) -> None:
    """What comes first. Who greets in TLS would wait for an answer until they tire: no line of that ever ends."""
    del protocol.dataReceived
    if data.startswith(TLS):
        transport = protocol._channel.transport
        transport.write(NO_TLS % (len(SAY_HTTP), SAY_HTTP))
        transport.loseConnection()
    else:
        protocol.dataReceived(data)
