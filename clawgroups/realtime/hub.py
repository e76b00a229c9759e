"""Everything live in one process: its rooms, its streams of text and its sockets (design.md 6).

One hub per event loop. Rooms and streams exist while somebody follows them; one task looks every two seconds, when
it is told that a pass or a seat has changed, and when the time of a pass is over, whether each socket's pass and seats
still hold, and whether a socket has fallen too far behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Callable, Collection, Coroutine, Iterable
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DatabaseError
from django.utils import timezone

from clawgroups import bus, draining
from clawgroups.realtime.company import Company
from clawgroups.realtime.entrance import Pass, Seats, Visitor, seats_of, still_valid
from clawgroups.realtime.frames import encode
from clawgroups.realtime.pace import Pace
from clawgroups.realtime.room import Room
from clawgroups.services.perform import read_shared

log = logging.getLogger(__name__)

Passes = dict[Pass, datetime | None]
SLOW = 0.25  # seconds after which a socket that is being closed is left to itself
MAX_LIVE = 64 * 1024  # characters of one part kept for one frame


class Peer(Protocol):
    """What the hub knows of a socket."""

    visitor: Visitor

    def workspaces(self) -> Iterable[UUID]:
        """Every workspace it is shown something of."""

    def seated(self, seats: Seats, asked: Collection[UUID]) -> bool:
        """Take note of its seats in the workspaces that were `asked` about; False when it has lost one."""

    def sees(self, kind: str) -> bool:
        """Whether it is shown words of this kind of the attempt that it watches."""

    def behind_since(self) -> float | None:
        """Since when it has taken nothing (monotonic), or None."""

    def offer(self, text: str) -> None:
        """Send this soon; may be dropped when the peer does not read."""

    def close(self, code: int, reason: str = "") -> Coroutine[Any, Any, None]: ...


class Stream:
    """The streaming text of one attempt, for those who watch it: joined, and at most four times a second."""

    def __init__(self, attempt_id: UUID, pace: Pace) -> None:
        self.attempt_id, self.pace = attempt_id, pace
        self.peers: set[Peer] = set()
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, dict[str, Any]] = {}
        self._due: asyncio.TimerHandle | None = None
        self._sent = 0.0
        self._leave = bus.subscribe(bus.live_topic(attempt_id), self._on_live)

    def close(self) -> None:
        self._leave()
        if self._due is not None:
            self._due.cancel()

    def _on_live(self, topic: str, value: Any) -> None:
        if isinstance(value, dict) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, value)

    def _take(self, value: dict[str, Any]) -> None:
        part = str(value.get("part", ""))
        before = self._waiting.get(part)
        self._waiting[part] = value if before is None else _joined(before, value)
        if self._due is None:
            wait = max(0.0, self._sent + self.pace.live - self._loop.time())
            self._due = self._loop.call_later(wait, self._send)

    def _send(self) -> None:
        self._due, self._sent = None, self._loop.time()
        waiting, self._waiting = self._waiting, {}
        for value in waiting.values():
            text = encode({**value, "type": "live", "attempt": str(self.attempt_id)})
            for peer in self.peers:
                if peer.sees(str(value.get("kind", ""))):
                    peer.offer(text)


def _joined(before: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """Two pieces of one part as one, from `at` of the first; where text between them was lost, the second alone."""
    text, more = str(before.get("text", "")), str(value.get("text", ""))
    at = before.get("at", 0)
    if value.get("at", at + len(text)) != at + len(text):
        return value
    whole = text + more
    lost = max(0, len(whole) - MAX_LIVE)
    return {**value, "at": at + lost, "text": whole[lost:]}


class Hub:
    """The rooms, streams and sockets of one event loop."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.rooms: dict[UUID, Room] = {}
        self.streams: dict[UUID, Stream] = {}
        self.peers: set[Peer] = set()
        self.company = Company(self.pace)
        self._look = asyncio.Event()
        # Kept, so that they are not collected before they have run.
        self._closing: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._deaf: Callable[[], None] | None = None

    # Coming and going

    def add(self, peer: Peer) -> None:
        self.peers.add(peer)
        if self._task is None:
            self._task = asyncio.create_task(self._watch_standing(), name="hub")
            self._deaf = bus.subscribe(bus.passes_topic(), self._on_passes)

    def remove(self, peer: Peer) -> None:
        self.peers.discard(peer)
        self.company.remove(peer)
        for attempt_id in [key for key, stream in self.streams.items() if peer in stream.peers]:
            self.unwatch(attempt_id, peer)
        if not self.peers and self._task is not None and self._deaf is not None:
            self._task.cancel()
            self._task = None
            self._deaf()

    async def room(self, workspace_id: UUID) -> Room:
        """The room of a workspace, open. Whoever adds no follower before the next await calls `left`."""
        while True:
            room = self.rooms.get(workspace_id)
            if room is None:
                room = self.rooms[workspace_id] = Room(workspace_id, self.pace, self._look.set)
            try:
                await room.opened.wait()
            except asyncio.CancelledError:
                self.left(room)
                raise
            if room.fault is not None:
                self.left(room)
                raise room.fault
            # Somebody who came and went while we waited may have closed it behind them.
            if self.rooms.get(workspace_id) is room:
                return room

    def left(self, room: Room) -> None:
        """Close the room if nobody is in it any more."""
        if not room.followers and self.rooms.get(room.workspace_id) is room:
            del self.rooms[room.workspace_id]
            room.close()

    def watch(self, attempt_id: UUID, peer: Peer) -> None:
        stream = self.streams.get(attempt_id)
        if stream is None:
            stream = self.streams[attempt_id] = Stream(attempt_id, self.pace)
        stream.peers.add(peer)

    def unwatch(self, attempt_id: UUID, peer: Peer) -> None:
        stream = self.streams.get(attempt_id)
        if stream is not None:
            stream.peers.discard(peer)
            if not stream.peers:
                del self.streams[attempt_id]
                stream.close()

    # Standing

    def _on_passes(self, topic: str, value: Any) -> None:
        # From whichever thread; the loop may be closing in a test or at shutdown.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._look.set)

    async def _watch_standing(self) -> None:
        pause = self.pace.standing
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), pause)
            self._look.clear()
            pause = self.pace.standing
            try:
                # Nobody tells of a pass whose time is over.
                pause = min(pause, await self.check_standing())
            except DatabaseError as fault:
                log.warning("standing could not be checked, trying again: %s", fault)

    async def check_standing(self) -> float:
        """Close every socket whose pass or seat is gone, and those that have been behind for too long.

        Returns the seconds until the first of the others' passes is over.
        """
        peers = list(self.peers)
        # Of what a peer comes to be shown while we look, nothing is known yet.
        asked = {peer: frozenset(peer.workspaces()) for peer in peers}
        valid, seats = await read_shared(
            _standing, {peer.visitor for peer in peers}, frozenset().union(*asked.values())
        )
        now = time.monotonic()
        closes = []
        for peer in peers:
            since = peer.behind_since()
            if peer.visitor.by not in valid:
                closes.append(peer.close(4401, "signed out"))
            elif not peer.seated(seats, asked[peer]):
                closes.append(peer.close(4403, "no longer a member"))
            elif since is not None and now - since > self.pace.behind:
                # Whoever reads that slowly is seldom told: the code stands behind all that is on the way.
                log.info("closing a socket that has been too far behind for %.0f s", now - since)
                closes.append(peer.close(4413, "too far behind"))
        await self._all_closed(closes)
        ends = [at for at in valid.values() if at is not None]
        return max(0.0, (min(ends) - timezone.now()).total_seconds()) if ends else math.inf

    async def _all_closed(self, closes: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Close them side by side. One that does not read takes seconds, for which neither the others nor the next
        look wait."""
        tasks = {asyncio.create_task(one) for one in closes}
        if tasks:
            _, slow = await asyncio.wait(tasks, timeout=SLOW)
            self._closing |= slow
            for task in slow:
                task.add_done_callback(self._closing.discard)

    async def say_goodbye(self, retry_after: float) -> None:
        """Tell every socket when to come back, and close it; spread, so that not all come at once."""
        for peer in list(self.peers):
            pause = round(random.uniform(0.5, max(retry_after, 0.5)), 1)
            peer.offer(encode({"type": "draining", "retry_after": pause}))
        await asyncio.gather(*(peer.close(1012, "restarting") for peer in list(self.peers)))


def _standing(visitors: Collection[Visitor], workspaces: Collection[UUID]) -> tuple[Passes, Seats]:
    # Seats first: whoever loses both at once is found to have lost the pass, whenever it happens.
    seats = seats_of(workspaces, visitors)
    return still_valid({visitor.by for visitor in visitors}), seats


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def the_hub() -> Hub:
    """The hub of the running loop."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub()
    return hub


async def say_goodbye(retry_after: float) -> None:
    """What the server calls on its way out."""
    await the_hub().say_goodbye(retry_after)


draining.on_drain(say_goodbye)
