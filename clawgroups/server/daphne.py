"""The server itself: Daphne with our protocols, and a way out that takes its sockets along."""

from __future__ import annotations

# Installs the asyncio reactor: it must come before anything else of Twisted.
from daphne.server import Server, twisted_loop  # isort:skip

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from autobahn.exception import Disconnected
from daphne.ws_protocol import WebSocketFactory
from twisted.internet import defer, reactor
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogBeginner,
)

from clawgroups import draining
from clawgroups.server import framing
from clawgroups.server.inbox import BodyInbox, Inbox, Message, TakenBody
from clawgroups.server.limits import CLOSE_DRAINING, Limits
from clawgroups.server.port import listen
from clawgroups.server.requests import Bodies, BoundedHTTPFactory
from clawgroups.server.sockets import BoundedSocket

logger = logging.getLogger(__name__)

# Autobahn leaves modules of WAMP here that load themselves, and numpy, as soon as anybody looks at each module (as
# `inspect.getmodule` does). Nobody speaks WAMP here.
for lazy in ("autobahn.flatbuffers", "autobahn.wamp.message_fbs"):
    sys.modules.pop(lazy, None)

__all__ = ["BoundedServer", "twisted_loop"]


class BoundedSocketFactory(WebSocketFactory):
    protocol = BoundedSocket


class BoundedServer(Server):
    """Serves one ASGI application on one address."""

    def __init__(self, application: Any, *, limits: Limits, proxy_headers: bool = False) -> None:
        framing.install()
        super().__init__(
            application,
            endpoints=["given to run()"],
            ping_interval=limits.ping_interval,
            ping_timeout=limits.ping_timeout,
            websocket_handshake_timeout=limits.handshake_seconds,
            proxy_forwarded_address_header="X-Forwarded-For" if proxy_headers else None,
            proxy_forwarded_proto_header="X-Forwarded-Proto" if proxy_headers else None,
            server_name="",
        )
        self.limits = limits
        self.bodies: Bodies | None = getattr(application, "bodies", None)
        self.ports: list[Any] = []
        self.leaving: asyncio.Future[None] | None = None
        self.life: asyncio.Queue[Message] = asyncio.Queue()
        self.living: asyncio.Future[None] | None = None

    # Connections

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Inbox | BodyInbox | None:
        """Start the application for one connection, and give the queue that its messages go into."""
        inbox: Inbox | BodyInbox
        if scope["type"] == "websocket":
            inbox = protocol.inbox
        else:
            inbox = BodyInbox(protocol.content)
            protocol.content = TakenBody(protocol.content)
        if protocol not in self.connections:
            return None
        scope.setdefault("asgi", {"version": "3.0"})
        application = self.application(scope=scope, receive=inbox.get, send=partial(self.handle_reply, protocol))
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(application)
        return inbox

    async def handle_reply(self, protocol: Any, message: Message) -> None:
        """Daphne's own, past which text goes straight to the transport; both then wait while the peer does not read."""
        if isinstance(protocol, BoundedSocket) and protocol.wrote(message):
            if protocol.gate.is_open:
                return
        else:
            try:
                await super().handle_reply(protocol, message)
            except Disconnected:
                return  # It closed a moment ago: the application finds that in its inbox.
        if protocol in self.connections:
            await protocol.delivered(message)

    # Up

    def run(self, host: str, port: int, *, ready: Callable[[], None]) -> None:
        """Serve until `leave` has ended. Raises CannotListenError when the address is taken."""
        self.connections: dict[Any, dict[str, Any]] = {}
        self.http_factory = BoundedHTTPFactory(self)
        self.ws_factory = BoundedSocketFactory(self, server="")
        self.ws_factory.setProtocolOptions(
            autoPingTimeout=self.limits.ping_timeout,
            allowNullOrigin=True,
            failByDrop=False,  # a close code says more than a reset
            openHandshakeTimeout=self.websocket_handshake_timeout,
        )
        errors = LogLevelFilterPredicate(defaultLogLevel=LogLevel.error)
        globalLogBeginner.beginLoggingTo(
            [FilteringLogObserver(STDLibLogObserver(), [errors])], redirectStandardIO=False, discardBuffer=True
        )
        asyncio.set_event_loop(twisted_loop)
        self.ports.append(listen(host, port, self.http_factory))
        reactor.callLater(1, self.application_checker)
        reactor.callLater(1, self.timeout_checker)
        reactor.addSystemEventTrigger("before", "shutdown", self.kill_all_applications)
        reactor.callWhenRunning(self._live)
        reactor.callWhenRunning(ready)
        reactor.run(installSignalHandlers=False)

    def _live(self) -> None:
        """Begin ASGI's lifespan. An application that knows none does without."""
        self.life = asyncio.Queue()
        self.life.put_nowait({"type": "lifespan.startup"})
        self.living = asyncio.ensure_future(self._lifespan())

    async def _lifespan(self) -> None:
        async def hear(message: Message) -> None:
            logger.debug("%s", message["type"])

        try:
            await self.application({"type": "lifespan", "asgi": {"version": "3.0"}}, self.life.get, hear)
        except Exception as fault:  # noqa: BLE001  as ASGI says: whatever it raises, it supports no lifespan
            logger.debug("no lifespan: %s", fault)

    # Down

    def leave(self) -> None:
        """Begin to leave in good order; a second call leaves at once. Called in the loop."""
        if self.leaving is None:
            self.leaving = asyncio.ensure_future(self._leave())
        elif reactor.running:
            reactor.stop()

    async def _leave(self) -> None:
        until = time.monotonic() + self.limits.drain_seconds
        await draining.process.begin(retry_after=self.limits.retry_after, timeout=self.limits.drain_seconds / 3)
        for port in self.ports:
            await defer.maybeDeferred(port.stopListening).asFuture(twisted_loop)
        for protocol in list(self.connections):
            if isinstance(protocol, BoundedSocket):
                protocol.close_now(CLOSE_DRAINING, "the server is restarting")
        while self._busy() and time.monotonic() < until:
            await asyncio.sleep(0.05)
        if self.living is not None:
            self.life.put_nowait({"type": "lifespan.shutdown"})
            await asyncio.wait([self.living], timeout=1)
        if reactor.running:
            reactor.stop()

    def _busy(self) -> bool:
        return any("disconnected" not in details for details in self.connections.values())

    def kill_all_applications(self) -> Any:
        """End what still runs; Twisted's shutdown waits for it."""
        running = [details.get("application_instance") for details in self.connections.values()]
        killed = [instance for instance in running if instance is not None and not instance.done()]
        for instance in killed:
            instance.cancel()
        if killed:
            logger.info("Ended %d applications that were still running", len(killed))
        return defer.Deferred.fromFuture(asyncio.gather(*killed, return_exceptions=True))
