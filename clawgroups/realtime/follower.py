"""One socket's place in one workspace's journal: what it was sent, what it has acknowledged, what comes next."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from django.conf import settings

from clawgroups.realtime.feed import KINDS
from clawgroups.realtime.frames import encode
from clawgroups.realtime.kept import Piece
from clawgroups.realtime.room import NEEDS, Room


class Follower:
    """A cursor with a window. Subclasses say what a piece looks like and what comes instead of a long gap.

    `after` is None for a peer that must start anew; it may be ahead of the room, which then catches up.
    """

    rendered = False

    def __init__(
        self, room: Room, *, generation: int | None, after: int | None, role: str, wake: Callable[[], None]
    ) -> None:
        self.room, self.role = room, role
        self.auth_version = 0
        self._wake = wake
        self.generation = room.generation if generation is None else generation
        self.after = after
        self.told: deque[str] = deque(maxlen=1)
        self.stalled_at: float | None = None
        self._unacked: deque[tuple[int, int]] = deque()
        self._in_flight = 0
        self._missed = False
        room.followers.add(self)

    @property
    def head(self) -> int:
        """Up to here there is something to ask for."""
        return self.room.head

    @property
    def is_due(self) -> bool:
        """Whether there may be a next frame: after most frames there is none, which is found here for little."""
        after, room = self.after, self.room
        return bool(self.told) or after is None or after < self.head or self.generation != room.generation

    def leave(self) -> None:
        self.room.followers.discard(self)

    def wake(self) -> None:
        """There is something new to ask for."""
        self._wake()

    def sit(self, role: str, auth_version: int) -> None:
        """Take note of the seat of whoever follows, as it is now."""
        self.role, self.auth_version = role, auth_version

    def tell(self, text: str) -> None:
        """Say this at the next occasion; only the newest such frame is kept."""
        self.told.append(text)
        self.wake()

    def ack(self, seq: int) -> None:
        """Everything up to `seq` has arrived."""
        while self._unacked and self._unacked[0][0] <= seq:
            self._in_flight -= self._unacked.popleft()[1]
        # Who takes in a little, but not enough for what comes next, is as far behind as before.
        if self.stalled_at is not None and not self.is_full(self.head - (self.after or 0)):
            self._missed = time.monotonic() - self.stalled_at > self.room.pace.stalled
            self.stalled_at = None
            self.wake()

    async def next_frame(self) -> str | None:
        """The next frame to send, or None while there is nothing to say or the window is full."""
        if self.told:
            return self.told.popleft()
        room = self.room
        after = self.after
        if after is None or self.generation != room.generation:
            return await self._start_anew()
        if after >= self.head:
            return None
        gap = self.head - after
        if self.is_full(gap):
            if self.stalled_at is None:
                self.stalled_at = time.monotonic()
            return None
        if gap > room.pace.gap or (self._missed and gap > room.pace.window):
            return await self._start_anew()
        self._missed = False
        piece = await self.piece(after)
        return self._sent(piece) if piece.seq > after else None

    def is_full(self, gap: int) -> bool:
        """Whether it must take in what is on the way before it is sent anything of the `gap` entries that follow."""
        return self._in_flight >= self.room.pace.window

    async def _start_anew(self) -> str | None:
        piece = await self.instead()
        self.generation = self.room.generation
        self._unacked.clear()
        self._in_flight, self._missed, self.stalled_at = 0, False, None
        self.after = piece.seq
        return piece.text

    def _sent(self, piece: Piece) -> str:
        self.after = piece.seq
        if piece.count:
            self._unacked.append((piece.last_seen, piece.count))
            self._in_flight += piece.count
        return piece.text

    async def piece(self, after: int) -> Piece:
        raise NotImplementedError

    async def instead(self) -> Piece:
        raise NotImplementedError


class EntryFollower(Follower):
    """For scripts: entries, and a snapshot where they would be too many."""

    async def piece(self, after: int) -> Piece:
        pace = self.room.pace
        return await self.room.entries(after, min(pace.window - self._in_flight, pace.frame), self.role)

    async def instead(self) -> Piece:
        return await self.room.snapshot(self.role)


class FragmentFollower(Follower):
    """For pages: fragments, and where they would be too many the order to load the page again."""

    rendered = True
    language = settings.LANGUAGE_CODE  # of the page, which says it
    kinds = KINDS  # that the page has a place for, as it says
    halted = False  # until the page, loaded again, subscribes anew
    _outdated = False

    @property
    def head(self) -> int:
        return self.room.shown

    @property
    def is_due(self) -> bool:
        return self._outdated or super().is_due

    def sit(self, role: str, auth_version: int) -> None:
        """With another seat the page shows other buttons, and perhaps less: it is loaded again."""
        if auth_version != self.auth_version:
            self._outdated = True
            self.wake()
        super().sit(role, auth_version)

    async def next_frame(self) -> str | None:
        if self.halted:
            return None
        return await (self._start_anew() if self._outdated else super().next_frame())

    def is_full(self, gap: int) -> bool:
        """Its frames are not cut to size, as each cut would be drawn by itself: one that does not fit waits.

        A row is drawn once however often it changed, so that a page that is slow catches up with one frame.
        """
        return self._in_flight > max(0, self.room.pace.window - gap)

    async def piece(self, after: int) -> Piece:
        return await self.room.fragments(after, self.role, self.language, self.kinds)

    async def instead(self) -> Piece:
        room = self.room
        self.halted = True
        text = encode(
            {
                "type": "reset",
                "workspace": str(room.workspace_id),
                "generation": room.generation,
                "head": room.head,
            }
        )
        return Piece(text, room.head, 0, room.head)


class NeedsFollower(Follower):
    """Tells that what waits for people may be another: that alone, nothing of what happened, and never acknowledged."""

    _timer: asyncio.TimerHandle | None = None

    async def next_frame(self) -> str | None:
        if self.told:
            return self.told.popleft()
        room, text = self.room, ""
        if self._timer is not None:
            return None
        if self.after is None or self.generation != room.generation:
            self.generation, self.after, text = room.generation, room.head, NEEDS
        while not text and self.after < room.head:
            piece = await room.needs(self.after, room.pace.frame)
            if piece.seq <= self.after:
                break
            self.after, text = piece.seq, piece.text
        if text:
            self._timer = asyncio.get_running_loop().call_later(room.pace.needs, self._rested)
        return text or None

    def _rested(self) -> None:
        self._timer = None
        self.wake()
