"""A WebSocket as an ASGI application: the handshake, the limits of what comes in, one writer for what goes out.

Not a Channels consumer: those take a trip through one shared thread for every message.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import DatabaseError

from clawgroups import draining
from clawgroups.core.errors import ClawError, Forbidden, Unauthenticated
from clawgroups.realtime.entrance import Seats, Visitor, admit, seats_of
from clawgroups.realtime.follower import Follower
from clawgroups.realtime.frames import MAX_BYTES, Bucket, Frame, Malformed, decode, error
from clawgroups.realtime.hub import Hub, the_hub
from clawgroups.realtime.place import Entry
from clawgroups.services.perform import read_arriving, read_async

log = logging.getLogger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[Frame], Awaitable[None]]
F = TypeVar("F", bound=Follower)

CLOSE_GRACE = 5.0


class Socket:
    """One socket. Subclasses say what follows the handshake and which frames they take."""

    subprotocol: ClassVar[str | None] = None

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.hub: Hub = the_hub()
        self.visitor: Visitor
        self.followers: dict[UUID, Follower] = {}
        self.handlers: dict[str, Handler] = {}
        self._bucket = Bucket(self.hub.pace.rate, self.hub.pace.burst)
        self._excess = 0
        self._outbox: deque[str] = deque()
        self._outbox_bytes = 0
        self._wake = asyncio.Event()
        self._sending_since: float | None = None
        self._closed = False
        self._writer: asyncio.Task[None] | None = None

    @classmethod
    def as_asgi(cls) -> Callable[[Message, Receive, Send], Awaitable[None]]:
        """The ASGI application; one instance per connection."""

        async def application(scope: Message, receive: Receive, send: Send) -> None:
            await cls(scope, receive, send).run()

        return application

    # The way through

    async def run(self) -> None:
        """From handshake to end."""
        await self._receive()
        if not await self._enter():
            return
        self.hub.add(self)
        self._writer = asyncio.create_task(self._write(), name="socket writer")
        try:
            await self._guarded(self.begin())
            while (message := await self._receive())["type"] != "websocket.disconnect":
                await self._take(message)
        finally:
            self._closed = True
            self._writer.cancel()
            for workspace_id in list(self.followers):
                self.unfollow(workspace_id)
            self.end()
            self.hub.remove(self)

    async def _enter(self) -> bool:
        if draining.is_draining():
            await self._accept_and_close(1012, "restarting")
            return False
        try:
            async with asyncio.timeout(self.hub.pace.handshake):
                self.visitor = await read_arriving(admit, self.scope)
        except Forbidden:
            # Not accepted, so that a foreign page learns nothing: the handshake ends in HTTP 403.
            await self._send({"type": "websocket.close", "code": 4403})
            return False
        except Unauthenticated as refused:
            await self._accept_and_close(4401, refused.message)
            return False
        except (TimeoutError, DatabaseError):
            await self._accept_and_close(1013, "try again later")
            return False
        await self._send({"type": "websocket.accept", "subprotocol": self._chosen()})
        return True

    def _chosen(self) -> str | None:
        return self.subprotocol if self.subprotocol in self.scope.get("subprotocols", ()) else None

    async def _accept_and_close(self, code: int, reason: str) -> None:
        # Only an accepted socket can be told why.
        await self._send({"type": "websocket.accept", "subprotocol": self._chosen()})
        await self._send({"type": "websocket.close", "code": code, "reason": reason[:120]})

    async def begin(self) -> None:
        """What happens once the visitor is in."""

    def end(self) -> None:
        """What happens once it is over, beside leaving what it followed."""

    # In

    async def _take(self, message: Message) -> None:
        if self._closed:
            return
        text = message.get("text")
        if text is None:
            await self.close(1003, "text frames only")
        elif len(text) > MAX_BYTES or len(text.encode()) > MAX_BYTES:
            await self.close(1009, "frame too large")
        elif not self._bucket.take():
            await self._too_many()
        else:
            await self._guarded(self._handle(text))

    async def _too_many(self) -> None:
        self._excess += 1
        if self._excess == 1:
            wait = 1 / self.hub.pace.rate
            self.offer(error("rate_limited", "Slow down; this frame was dropped.", retry_after=wait))
        elif self._excess > self.hub.pace.excess:
            await self.close(4429, "too many frames")

    async def _handle(self, text: str) -> None:
        try:
            frame = decode(text)
        except Malformed as wrong:
            self.offer(error(wrong.code, wrong.message))
            return
        handler = self.handlers.get(frame["type"])
        if handler is None:
            known = ", ".join(sorted(self.handlers))
            self.offer(error("unknown_type", f"This socket takes: {known}.", got=frame["type"][:60]))
            return
        await handler(frame)

    async def _guarded(self, work: Awaitable[None]) -> None:
        """What is expected to go wrong is told; what is not closes this socket and no other."""
        try:
            await work
        except ClawError as refused:
            self.offer(error(refused.code, refused.message))
        except Exception:
            log.exception("a socket failed")
            await self.close(1011, "internal error")

    # Following

    async def follow(self, make: type[F], workspace_id: UUID, entry: Entry) -> F:
        """Follow a workspace from the place of this entry on; replaces an earlier place in it."""
        room, place = await self.hub.room(workspace_id), entry.place
        room.stands_in(entry.head.generation)
        follower = make(room, generation=place.generation, after=place.after, role=entry.role, wake=self._wake.set)
        follower.auth_version = entry.auth_version
        before = self.followers.get(workspace_id)
        self.followers[workspace_id] = follower
        if before is not None:
            before.leave()
        self._wake.set()
        return follower

    def listening(self) -> list[Follower]:
        """Whatever may have something to send."""
        return list(self.followers.values())

    def unfollow(self, workspace_id: UUID) -> None:
        follower = self.followers.pop(workspace_id, None)
        if follower is not None:
            follower.leave()
            self.hub.left(follower.room)

    def workspaces(self) -> Iterable[UUID]:
        return list(self.followers)

    def seated(self, seats: Seats, asked: Collection[UUID]) -> bool:
        held = {pk: seats.get((pk, self.visitor.seat_key)) for pk in self.workspaces() if pk in asked}
        if any(seat is None for seat in held.values()):
            return False
        for pk, follower in self.followers.items():
            seat = held.get(pk)
            if seat is not None:
                follower.sit(seat.role, seat.auth_version)
        return True

    async def seated_now(self) -> bool:
        """Whether the visitor still has every seat, asked at this moment."""
        asked = list(self.workspaces())
        return self.seated(await read_async(seats_of, asked, [self.visitor]), asked)

    def sees(self, kind: str) -> bool:
        """It watches no attempt."""
        return False

    def behind_since(self) -> float | None:
        since = [f.stalled_at for f in self.followers.values() if f.stalled_at is not None]
        if self._sending_since is not None:
            since.append(self._sending_since)
        return min(since, default=None)

    # Out

    def offer(self, text: str) -> None:
        """Queue a frame that no journal brings again. On overflow the queue is dropped: it holds hints only."""
        pace = self.hub.pace
        if len(self._outbox) >= pace.outbox_frames or self._outbox_bytes + len(text) > pace.outbox_bytes:
            self._outbox.clear()
            self._outbox_bytes = 0
        self._outbox.append(text)
        self._outbox_bytes += len(text)
        self._wake.set()

    async def _write(self) -> None:
        while not self._closed:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._flush()
            except ClawError as refused:
                await self.close(4404, refused.message)
            except DatabaseError:
                log.warning("a socket could not read on, trying again", exc_info=True)
                await asyncio.sleep(1)
                self._wake.set()
            except Exception:
                log.exception("a socket's writer failed")
                await self.close(1011, "internal error")

    async def _flush(self) -> None:
        more = True
        while more and not self._closed:
            more = False
            if self._outbox:
                await self._send_outbox()
            for follower in self.listening():
                text = await follower.next_frame() if follower.is_due else None
                if text is not None:
                    await self._send_text(text)
                    more = True

    async def _send_outbox(self) -> None:
        while self._outbox:
            text = self._outbox.popleft()
            self._outbox_bytes -= len(text)
            await self._send_text(text)

    async def _send_text(self, text: str) -> None:
        self._sending_since = time.monotonic()
        await self._send({"type": "websocket.send", "text": text})
        self._sending_since = None

    async def close(self, code: int, reason: str = "") -> None:
        """Send what is queued, as far as the peer reads, and close."""
        if self._closed:
            return
        self._closed = True
        if self._writer is not None and self._writer is not asyncio.current_task():
            self._writer.cancel()
        if self._sending_since is None:
            try:
                async with asyncio.timeout(CLOSE_GRACE):
                    await self._send_outbox()
            except TimeoutError:
                pass
        await self._send({"type": "websocket.close", "code": code, "reason": reason[:120]})


async def nowhere(scope: Message, receive: Receive, send: Send) -> None:
    """Any other address: the handshake ends in HTTP 403."""
    await receive()
    await send({"type": "websocket.close"})
