"""One agent's socket: what comes in, in order, becomes rows; what is owed goes out.

Everything in here is a cache. A frame counts as received only in the change that stores what it
meant, so the process may be killed at any instant: on its next socket the link goes on after the last
stored frame. A socket that was replaced is fenced by the connection's epoch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from agents.connector import __version__
from agents.protocol import acp, peer, version
from agents.protocol.peer import JsonObject, Peer, RpcError, RpcId
from clawgroups.core.actors import Actor
from clawgroups.gateway import machine
from clawgroups.gateway.backlog import (
    Allows,
    Answered,
    Asked,
    Backlog,
    Decided,
    Exited,
    Item,
    Noted,
    Nothing,
    Overdue,
    Store,
    Told,
    Violated,
    Withdrawn,
)
from clawgroups.gateway.hello import Hello
from clawgroups.gateway.pump import Pump
from clawgroups.gateway.rates import TOO_MUCH, rates
from clawgroups.gateway.reads import RETIRED, Held, Look
from clawgroups.gateway.worker import Worker
from clawgroups.ingest import Intake, Replaced

log = logging.getLogger(__name__)

INITIALIZE_DEADLINE = 60.0
FINISH = 8.0  # seconds to store what was taken after the socket has closed
MAX_VIOLATIONS = 200  # malformed frames a minute
TOLD_VIOLATIONS = 3  # of them the agent's breaker hears: it needs no more
CLOSE_FAILED = 1011

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Link:
    """One socket of an agent, from `_clawgroups/resume` to its end."""

    def __init__(self, hello: Hello, held: Held, actor: Actor, received: int, send: Send) -> None:
        self.hello = hello
        self.held = held
        self.actor = actor
        self.ended = ""
        """Why it ended, once it has."""
        self._asgi_send = send
        self._frame = received
        self._taken = False
        self._size = 0
        self._backlog = Backlog()
        self._peer = Peer(self.send, self._on_notification, self._on_request, self._on_response)
        self._intake = Intake(held.link, epoch=held.epoch, received=received, actor=actor)
        self._pump = Pump(held, hello, self.send, self)
        self._worker = Worker(hello, held, actor, self._intake, self._pump, self.send)
        self._closing = False
        self._violations = (0, time.monotonic())
        self._rate = rates.of(held.agent_id)
        self._tasks: list[asyncio.Task[None]] = []

    # Life

    async def begin(self) -> None:
        """Say where the link goes on, ask the agent who it is, and start sending and storing."""
        if self.hello.is_connector:
            told = {"link": str(self.held.link), "received": self._frame, "name": self.actor.name}
            await self.send(peer.notification(version.RESUME, told))
        await self._worker.recall()
        await self._pump.recall()
        self._tasks = [asyncio.create_task(self._guard(self._work))]
        call = acp.initialize(__version__)
        await self.send(call.request(f"{self._worker.INITIALIZE}{uuid4()}"))
        self._tasks += [
            asyncio.create_task(self._guard(self._introduced)),
            asyncio.create_task(self._guard(self._send_owed)),
        ]

    async def finish(self) -> None:
        """The socket is gone: store what was taken from it, then stop."""
        self._backlog.close()
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=FINISH)
        await self.abandon()

    async def abandon(self) -> None:
        """Stop at once, whatever is not stored yet."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _introduced(self) -> None:
        try:
            async with asyncio.timeout(INITIALIZE_DEADLINE * settings.CLOCK_SCALE):
                await self._worker.introduced.wait()
        except TimeoutError:
            self.end(version.CLOSE_UNRESPONSIVE, "The agent did not answer initialize.")

    async def _send_owed(self) -> None:
        await self._worker.ready.wait()
        await self._pump.run()

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Replaced:
            self.end(version.CLOSE_NORMAL, "This link goes on elsewhere.")
        except Exception:
            log.exception("link %s of agent %s failed", self.held.link, self.held.agent_id)
            self.end(CLOSE_FAILED, "The server failed; connect again.")

    # Out

    async def send(self, text: str) -> None:
        """One frame to the agent; waits while it does not read. Nothing once the socket is closing."""
        if not self._closing:
            await self._asgi_send({"type": "websocket.send", "text": text})

    def looked(self, found: Look) -> None:
        """What the switchboard has read about us."""
        if found.close:
            self.end(found.close, found.reason)
            return
        for command_id in self._pump.overdue():
            self._backlog.put(Overdue(0, command_id))
        self._pump.owe(found.owed)

    def put(self, item: Item) -> None:
        """Have this done after everything that was heard before."""
        self._backlog.put(item)

    def turn_begins(self, session_id: UUID) -> None:
        """The prompt goes out at this moment: whatever is heard from now on answers it."""
        self._intake.begin_turn(session_id, self._frame)

    def store(self, token: str) -> None:
        """Store everything heard so far, and say so under `token`."""
        self._backlog.put(Store(0, token))

    def end(self, code: int, reason: str) -> None:
        """Close the socket; a refused one is told why in a frame before."""
        if self._closing:
            return
        self.ended = reason
        task = asyncio.create_task(self._close(code, reason))
        # Kept, so that it is not collected before it has run.
        self._tasks.append(task)

    async def _close(self, code: int, reason: str) -> None:
        if code in (version.CLOSE_REFUSED, version.CLOSE_FORBIDDEN) and self.hello.is_connector:
            await self.send(refused(_word_of(code, reason), reason))
        if self._closing:
            return
        self._closing = True
        # What is still unread is sent again on the link's next socket, if it has one.
        self._backlog.close(drop=self.hello.is_connector)
        await self._asgi_send({"type": "websocket.close", "code": code, "reason": reason[:100]})

    async def leave(self, retry_after: float) -> None:
        """The process is going: the server closes the sockets (1012) once we have said so and stored."""
        if self.hello.is_connector:
            await self.send(peer.notification(version.DRAINING, {"retry_after": retry_after}))
        self.ended = "The server restarts."
        self._backlog.close(drop=self.hello.is_connector)
        await asyncio.wait(self._tasks[:1], timeout=FINISH)

    # In

    async def hear(self, text: str) -> None:
        """Take one frame from the socket; waits until there is room for more."""
        self._frame += 1
        self._taken, self._size = False, len(text)
        before = self._peer.violations
        await self._peer.feed(text)
        if not self._taken:
            self._put(Nothing(self._frame))
        if self._peer.violations > before:
            self._violation()
        await self._backlog.room()
        wait = self._rate.take(self._size)
        if self._rate.floods:
            self.end(version.CLOSE_FLOOD, TOO_MUCH)
        elif wait and not self._closing:
            await asyncio.sleep(wait)

    def _put(self, item: Item) -> None:
        self._taken = True
        self._backlog.put(item, self._size)

    def _on_notification(self, method: str, params: JsonObject) -> None:
        if method == version.DECIDED and self.hello.has_policy:
            self._decided(params)
        elif method.startswith(version.EXTENSION_PREFIX) and self.hello.is_connector:
            self._extension(method, params)
        elif method == version.SESSION_UPDATE:
            acp_id, update = acp.parse_update(params)
            self._put(Told(self._frame, acp_id, update, self._size))
        elif method == version.CANCEL_REQUEST:
            self._put(Withdrawn(self._frame, params.get("requestId")))

    def _on_request(self, frame_id: RpcId, method: str, params: JsonObject) -> None:
        self._put(Asked(self._frame, frame_id, method, params))

    def _on_response(self, frame_id: RpcId, result: Any, error: RpcError | None) -> None:
        self._put(Answered(self._frame, frame_id, result, error))

    def _decided(self, params: JsonObject) -> None:
        """Counted like what the agent says: it is to stand in its place in the transcript, once."""
        found = machine.read_decision(params)
        if found is not None:
            self._put(Decided(self._frame, *found, self._size))

    def _extension(self, method: str, params: JsonObject) -> None:
        """A message of the connector itself: not the agent's, so it is not counted."""
        self._frame -= 1
        self._taken = True
        if method == version.EXITED:
            code = params.get("code")
            self._backlog.put(Exited(0, f"The agent ended with code {code}."), self._size)
        elif method == version.NOTED:
            self._backlog.put(Noted(0, str(params.get("request"))), self._size)
        elif method == version.POLICY and self.hello.has_policy:
            self._backlog.put(Allows(0, params), self._size)

    def _violation(self) -> None:
        count, since = self._violations
        now = time.monotonic()
        self._violations = (1, now) if now - since > 60 else (count + 1, since)
        if self._violations[0] <= TOLD_VIOLATIONS:
            self._backlog.put(Violated(0))
        if self._violations[0] > MAX_VIOLATIONS:
            self.end(version.CLOSE_FLOOD, "Too many malformed messages.")

    async def _work(self) -> None:
        """Handle what was heard, in order; store and show what is due in between."""
        while not self._backlog.finished:
            item = await self._backlog.get(self._intake.wait)
            if item is not None:
                await self._worker.handle(item)
                if self._worker.unsupported:
                    self.end(version.CLOSE_FORBIDDEN, self._worker.unsupported)
                if isinstance(item, Exited):
                    self.ended = item.reason
            await self._worker.tick()
        await self._worker.flush()

    @property
    def child_gone(self) -> bool:
        """Whether nothing will ever come on this link again."""
        return not self.hello.is_connector or self._worker.exited


def _word_of(code: int, reason: str) -> str:
    if code == version.CLOSE_FORBIDDEN:
        return "unsupported"
    return version.RETIRED if reason == RETIRED else "key_revoked"


def refused(code: str, message: str) -> str:
    """The frame that tells a connector why it is not let in."""
    return peer.notification(version.REFUSED, {"code": code, "message": message})
