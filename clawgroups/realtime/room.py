"""One reader of one workspace's journal in this process, for however many sockets follow it.

Entries are read once and encoded once into a ring that all followers share; frames are joined, and fragments
rendered, once per range. A follower only holds a cursor, so a slow one costs no memory: it asks for its next
frame when its socket has taken the last one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from django.db import DatabaseError

from clawgroups import bus, journal
from clawgroups.core.errors import NotFound
from clawgroups.models import Entry
from clawgroups.permissions import may_see_event
from clawgroups.realtime import feed
from clawgroups.realtime.frames import encode
from clawgroups.realtime.kept import Kept, Piece
from clawgroups.realtime.pace import Pace
from clawgroups.realtime.pages import Pages, Reader, page_frame
from clawgroups.realtime.renderer import renderer
from clawgroups.services.perform import read_shared

log = logging.getLogger(__name__)

PAGE = 500
KEEP_LINES = 1000
KEEP_BYTES = 4 * 1024 * 1024
KEEP_FRAMES = 64
KEEP_PARTS = 8  # spans of which what was drawn is kept, for pages that have a place for something else
NEEDS = encode({"type": "needs"})
DRAW_REST = 0.1  # after a drawing, as a multiple of what it took: what is slow to make is made less often
SEATS = frozenset(
    {"member.left", "member.role_set", "member.muted", "member.unmuted", "agent.retired"}
    | {"workspace.closed", "workspace.reopened"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """An entry and its text."""

    entry: Entry
    text: str


class Listener(Protocol):
    """What a room knows of its followers."""

    rendered: bool
    """Whether it asks for fragments, which take a while to make."""

    def wake(self) -> None: ...
    def tell(self, text: str) -> None: ...


class Room:
    """A workspace as this process follows it. Lives in one event loop."""

    def __init__(self, workspace_id: UUID, pace: Pace, on_seats: Callable[[], None]) -> None:
        self.workspace_id, self.pace, self.on_seats = workspace_id, pace, on_seats
        self.generation = self.head = self.floor = self._ahead_from = 0
        self.shown = 0
        """Up to here pages are told: not as far as entries are there, as they are drawn less often."""
        self.followers: set[Listener] = set()
        self.opened = asyncio.Event()
        self.fault: Exception | None = None
        self._lines: deque[Line] = deque()
        self._bytes = 0
        self._made: dict[tuple[Any, ...], asyncio.Future[Any]] = {}
        self._pieces = Kept(KEEP_FRAMES, KEEP_BYTES)
        self._pages = Pages()
        self._parts: dict[tuple[Any, ...], Mapping[str, str]] = {}
        self._catching_up = asyncio.Lock()
        self._readers: set[Reader] = set()
        self._loop = asyncio.get_running_loop()
        self._hinted, self._fresh, self._full = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._heard = 0.0  # when something new was hinted at last
        self._leave = bus.subscribe(bus.workspace_topic(workspace_id), self._on_hint)
        self._tasks = [
            asyncio.create_task(self._run(), name=f"room {workspace_id}"),
            asyncio.create_task(self._draw(), name=f"pages of room {workspace_id}"),
        ]

    def close(self) -> None:
        """Stop following."""
        self._leave()
        for task in self._tasks:
            task.cancel()

    # Following

    def _on_hint(self, topic: str, value: Any) -> None:
        # From whichever thread; the loop may be closing in a test or at shutdown.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._note, value)

    def _note(self, value: Any) -> None:
        if not isinstance(value, int) or value > self.head:
            self._hinted.set()
            self._heard = self._loop.time()
        if isinstance(value, int) and value - self.head >= self.pace.full:
            self._full.set()

    def stands_in(self, generation: int) -> None:
        """Somebody who has just looked found the journal in this generation: after a restore, the room looks, too."""
        if generation != self.generation:
            self._hinted.set()

    async def _run(self) -> None:
        try:
            await self._open()
        except (NotFound, DatabaseError) as fault:
            self.fault = fault
            self.opened.set()
            return
        flushed = told = self._loop.time()
        took = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hinted.wait(), self.pace.look)
            await self._rest(flushed, took)
            self._hinted.clear()
            self._full.clear()
            began = self._loop.time()
            try:
                await self._advance()
            except Exception:  # or nobody in this room would hear anything any more
                log.exception("workspace %s could not be read, trying again", self.workspace_id)
            flushed = self._loop.time()
            took = flushed - began  # where reading is slow, more is joined
            if flushed - told >= self.pace.head:
                told = flushed
                self._pages.tidy()
                self._tell_head()

    async def _rest(self, flushed: float, took: float) -> None:
        """Join what comes within a tick of the last flush; less where there is much, and no more comes at once."""
        until = flushed + max(self.pace.tick, took)
        await self._sleep_to(flushed + took)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._full.wait(), max(0.0, until - self._loop.time()))
        while (calm := min(self._heard + self.pace.calm, until)) > self._loop.time():
            await self._sleep_to(calm)

    async def _sleep_to(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self._loop.time()))

    async def _open(self) -> None:
        head = await read_shared(journal.head_of, self.workspace_id)
        self._stand_at(head)
        self.opened.set()

    def _stand_at(self, head: journal.Head) -> None:
        self.generation = head.generation
        self.head = self.floor = self.shown = self._ahead_from = head.seq

    async def _advance(self) -> None:
        try:
            head, entries = await read_shared(journal.read_on, self.workspace_id, self.generation, self.head, PAGE)
        except (NotFound, DatabaseError) as fault:
            log.warning("workspace %s could not be read, trying again: %s", self.workspace_id, fault)
            return
        if head.generation != self.generation:
            self._restart(head)
            return
        if len(entries) == PAGE:
            self._hinted.set()
        if not entries:
            return
        self._append(entries)
        if len(entries) == PAGE:
            self._full.set()
        if any(entry.type in SEATS for entry in entries):
            self.on_seats()
        self._wake(rendered=False)
        self._fresh.set()

    async def _draw(self) -> None:
        """Let pages have what is new, not as often as entries: each piece is made once for all that happened to it."""
        await self.opened.wait()
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            began = self._loop.time()
            try:
                await self._render_ahead()
            except Exception:
                log.exception("the pages of workspace %s are not drawn ahead", self.workspace_id)
                self.shown = self.head  # who asks for it makes it, or is told that it cannot be made
            self._wake(rendered=True)
            took = self._loop.time() - began
            await asyncio.sleep(max(self.pace.draw - took, DRAW_REST * took))

    def _wake(self, *, rendered: bool) -> None:
        for follower in self.followers:
            if follower.rendered == rendered:
                follower.wake()

    async def _render_ahead(self) -> None:
        """Make what those will ask for who are up to date, so that a thousand of them find it made."""
        generation, after, upto = self.generation, self.shown, min(self.head, self.shown + self.pace.drawn)
        readers, self._readers = self._readers, set()
        together: dict[tuple[str, str], frozenset[str]] = {}
        for role, language, kinds in readers:
            together[role, language] = together.get((role, language), frozenset()) | kinds
        lines = await self._lines_after(after, upto - after) if upto > after else []
        for (role, language), kinds in together.items():
            seen = _seen(lines, role)
            # What cannot be made is found, and told, by who asks for it.
            with contextlib.suppress(Exception):
                html = await self._drawn(seen, (after, upto), role, language, kinds, late=False)
                if self.generation != generation:
                    return  # another one has begun
                for reader in readers:
                    if reader[:2] == (role, language):
                        self._pages.keep(reader, after, self._page(seen, after, upto, html, reader[2]))
        if self.generation == generation:
            self._ahead_from, self.shown = after, upto
            if upto < self.head:
                self._fresh.set()

    def _page(self, seen: list[Entry], after: int, upto: int, html: Mapping[str, str], kinds: frozenset[str]) -> Piece:
        text = page_frame(self.workspace_id, self.generation, upto, (html[kind] for kind in ("", *sorted(kinds))))
        return Piece(text, upto, len(seen), seen[-1].seq if seen else after)

    def _restart(self, head: journal.Head) -> None:
        """A restore from backup began another generation: every follower starts anew."""
        self._stand_at(head)
        self._lines.clear()
        self._made.clear()
        self._pieces.clear()
        self._pages.clear()
        self._parts.clear()
        self._bytes = 0
        for follower in self.followers:
            follower.wake()

    def _append(self, entries: Sequence[Entry]) -> None:
        # All or none: they are read again after a fault, and found by their place.
        lines = [Line(entry, encode(journal.entry_as_json(entry))) for entry in entries]
        self._lines.extend(lines)
        self._bytes += sum(len(line.text) for line in lines)
        self.head = entries[-1].seq
        while len(self._lines) > KEEP_LINES or self._bytes > KEEP_BYTES:
            gone = self._lines.popleft()
            self._bytes -= len(gone.text)
            self.floor = gone.entry.seq

    def _tell_head(self) -> None:
        text = encode(
            {
                "type": "head",
                "workspace": str(self.workspace_id),
                "generation": self.generation,
                "head": self.head,
            }
        )
        for follower in self.followers:
            follower.tell(text)

    # What followers ask for

    async def entries(self, after: int, limit: int, role: str) -> Piece:
        """The `entries` frame of what follows `after`."""
        key = (self.generation, "entries", after, min(limit, self.head - after), role == "guest")
        piece = self._pieces.get(key)
        return piece or self._pieces.keep(key, self._entries(await self._lines_after(after, limit), after, role))

    def _entries(self, lines: Sequence[Line], after: int, role: str) -> Piece:
        seq = lines[-1].entry.seq if lines else after
        seen = [line for line in lines if may_see_event(role, line.entry.type)]
        top = encode({"type": "entries", "generation": self.generation, "after": after, "seq": seq})
        text = f'{top[:-1]},"entries":[{",".join(line.text for line in seen)}]}}'
        return Piece(text, seq, len(seen), seen[-1].entry.seq if seen else after)

    async def fragments(self, after: int, role: str, language: str, kinds: frozenset[str]) -> Piece:
        """The `fragments` frame of what follows `after`, which is before `shown`, for a page with these kinds."""
        reader = ("guest" if role == "guest" else "member", language, kinds)
        self._readers.add(reader)
        if (piece := self._pages.find(reader, after, self.shown, self.pace.drawn)) is not None:
            return piece
        # Who asks while it is made waits for it, though there is more by now: that comes with what follows.
        key, generation = ("fragments", after, *reader), self.generation
        made: Piece = await self._once(key, partial(self._fragments, after, reader))
        self._made.pop((generation, *key), None)
        return self._pages.keep(reader, after, made) if self.generation == generation else made

    async def needs(self, after: int, limit: int) -> Piece:
        """The `needs` frame of what follows `after`; an empty one where nobody can have to do with it."""
        key = (self.generation, "needs", after, min(limit, self.head - after))
        return self._pieces.get(key) or self._pieces.keep(key, await self._needs(after, limit))

    async def _needs(self, after: int, limit: int) -> Piece:
        entries = [line.entry for line in await self._lines_after(after, limit)]
        seq = entries[-1].seq if entries else after

        async def make() -> bool:
            return await read_shared(feed.may_need_people, entries)

        text = NEEDS if await self._once(("needs", after, seq), make) else ""
        return Piece(text, seq, 0, seq)

    async def _fragments(self, after: int, reader: Reader) -> Piece:
        role, language, kinds = reader
        # Who is behind those that are drawn for now is not to keep them waiting for long.
        late = after < self._ahead_from
        lines = await self._lines_after(after, min(self.pace.late if late else self.pace.drawn, self.shown - after))
        upto, seen = lines[-1].entry.seq if lines else after, _seen(lines, role)
        # Late ones one after the other: pages differ in which kinds they have a place for, and none is drawn twice.
        async with self._catching_up if late else contextlib.nullcontext():
            html = await self._drawn(seen, (after, upto), role, language, kinds, late=late)
        return self._page(seen, after, upto, html, kinds)

    async def _drawn(
        self, seen: list[Entry], span: tuple[int, int], role: str, language: str, kinds: frozenset[str], *, late: bool
    ) -> Mapping[str, str]:
        """The HTML of what the role has seen in this span: what is of no kind, and of each of `kinds` at least."""
        key = (self.generation, *span, role, language)
        known = self._parts.get(key, {})
        if missing := [kind for kind in ("", *sorted(kinds)) if kind not in known]:
            made = await renderer.draw(seen, self.workspace_id, missing, language, late=late)
            known = self._parts[key] = {**known, **made}
            while len(self._parts) > KEEP_PARTS:
                del self._parts[next(iter(self._parts))]
        return known

    async def snapshot(self, role: str) -> Piece:
        """The `snapshot` frame at the head, which may be beyond what was read so far."""

        async def make() -> journal.Snapshot:
            return await read_shared(journal.snapshot, self.workspace_id, approvals=role != "guest")

        found: journal.Snapshot = await self._once(("snapshot", self.head, role == "guest"), make)
        text = encode({"type": "snapshot", **found.as_json()})
        return Piece(text, found.head.seq, 0, found.head.seq)

    async def _lines_after(self, after: int, limit: int) -> list[Line]:
        if after >= self.floor:
            # Journal numbers have no gap, so the place in the ring follows from them.
            start = after - self.floor
            return [self._lines[i] for i in range(start, min(start + limit, len(self._lines)))]

        async def make() -> list[Line]:
            found = await read_shared(journal.entries_after, self.workspace_id, self.generation, after, limit)
            return [Line(entry, encode(journal.entry_as_json(entry))) for entry in found]

        lines: list[Line] = await self._once(("lines", after, limit), make)
        return lines

    async def _once(self, key: tuple[Any, ...], make: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `make`, made by the first who asks and shared with those who ask meanwhile or soon after."""
        key = (self.generation, *key)
        try:
            # Shielded: the one who asked first may leave while others wait for the same.
            return await asyncio.shield(self._begun(key, make))
        except Exception:
            self._made.pop(key, None)
            raise

    def _begun(self, key: tuple[Any, ...], make: Callable[[], Awaitable[Any]]) -> asyncio.Future[Any]:
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = asyncio.ensure_future(make())
            while len(self._made) > KEEP_FRAMES:
                del self._made[next(iter(self._made))]
        return made


def _seen(lines: Sequence[Line], role: str) -> list[Entry]:
    return [line.entry for line in lines if may_see_event(role, line.entry.type)]
