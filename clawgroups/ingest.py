"""Takes in what an agent's link says: gathers updates, records them, shows streaming text meanwhile.

One `Intake` per link and socket. Everything is recorded in the order of the frames; one change per
flush holds the words of all sessions of the link together with the number of the last frame.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError

from agents.protocol.updates import (
    CommandsAvailable,
    ConfigChanged,
    MessageChunk,
    ModeChanged,
    PlanReplaced,
    ThoughtChunk,
    ToolCall,
    Usage,
)
from clawgroups import bus, commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Busy, OutcomeUnknown
from clawgroups.core.session_state import STATE_UPDATES
from clawgroups.core.transcript import Said, Standing, TurnEnded, Words
from clawgroups.services import transcript
from clawgroups.services.perform import read_async, seldom_reading

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

TEXT_EVERY = 1.0  # seconds between two records of streaming text
EDGE_EVERY = 0.25  # seconds between two records when tool calls begin and end
ACK_EVERY = 2.0  # seconds until frames without any effect are counted
SHOW_EVERY = 0.25  # seconds between two live frames of one attempt
MAX_UPDATES = 64
WHOLE = (CommandsAvailable, ConfigChanged, ModeChanged, Usage)  # each says all that the one before it said
MAX_CHARS = 256 * 1024
MAX_SHOWN = 16_000
MAX_HERE = 32 * 1024  # characters that are looked through on the event loop
PATIENCE = 60.0  # seconds that work is repeated while the database is away
TRIES = 4


class Replaced(Exception):
    """A newer socket carries this link, or this agent: nothing more may be recorded from here."""


@dataclass(slots=True)
class _Heard:
    """One update, or the first of several that go on with the same message."""

    said: Said
    pieces: list[str]

    def whole(self) -> Said:
        if len(self.pieces) > 1 and isinstance(self.said, (MessageChunk, ThoughtChunk)):
            return replace(self.said, text="".join(self.pieces))
        return self.said


@dataclass(slots=True)
class _Session:
    """One session's words: where its rows stand, where they will stand, and what is not stored yet."""

    standing: Standing
    ahead: Standing
    heard: list[_Heard] = field(default_factory=list)
    shown_at: float = 0.0
    # part -> (ordinal, kind, offset, pieces): what nobody has been shown yet.
    unseen: dict[UUID, tuple[int, str, int, list[str]]] = field(default_factory=dict)

    def hear(self, said: Said) -> bool:
        """Keep an update; False when it went into the last one, as more of the same message or tool call."""
        last = self.heard[-1] if self.heard else None
        if last is not None:
            if (
                isinstance(said, (MessageChunk, ThoughtChunk))
                and type(last.said) is type(said)
                and last.said.content is None
                and said.content is None
                and last.said.message_id == said.message_id
            ):
                last.pieces.append(said.text)
                return False
            if (
                isinstance(said, ToolCall)
                and isinstance(last.said, ToolCall)
                and last.said.tool_call_id == said.tool_call_id
                and said.status in (None, last.said.status)
            ):
                streamed = said.streamed or last.said.streamed
                last.said = replace(last.said, given={**last.said.given, **said.given}, streamed=streamed)
                return False
            if isinstance(said, WHOLE) and type(last.said) is type(said):
                last.said = said
                return False
        text = said.text if isinstance(said, (MessageChunk, ThoughtChunk)) else ""
        self.heard.append(_Heard(said, [text]))
        return True


@dataclass(slots=True)
class _Left:
    """A session's words in the attempt that it has left: those in frames up to `upto`; None: in any."""

    session: _Session
    upto: int | None = None


class Intake:
    """What one link has said and is not stored yet. Used by one task only."""

    def __init__(self, link: UUID, *, epoch: int, received: int, actor: Actor) -> None:
        self.link = link
        self.epoch = epoch
        self.actor = actor
        self.stored = received
        """The last frame whose effects are in the database."""
        self.taken = received
        """The last frame that was handed to us."""
        self._sessions: dict[UUID, _Session] = {}
        self._left: dict[UUID, _Left] = {}
        self._updates = 0
        self._chars = 0
        self._flushed_at = 0.0
        self._due: float | None = None

    # Taking

    async def take(self, session_id: UUID, said: Said, size: int, frame: int | None = None) -> None:
        """Keep an update of a session, to be recorded soon; waits while there is too much already.

        `size` is what it takes of memory, about: the length of its frame. `frame`: the number of that, where it
        matters to which turn the update belongs.
        """
        while self._updates >= MAX_UPDATES or self._chars >= MAX_CHARS:
            await asyncio.sleep(max(0.0, self._flushed_at + EDGE_EVERY - time.monotonic()))
            await self.flush()
        if self.has_left(session_id, frame) and not isinstance(said, STATE_UPDATES):
            self._updates += self._left[session_id].session.hear(said)
            self._chars += size
            self._plan_flush(TEXT_EVERY)
            return
        session = self._sessions.get(session_id) or await self._open(session_id)
        if session is None:
            return
        self._updates += session.hear(said)
        self._chars += size
        words = session.ahead.words(said)
        if words is not None:
            self._show_later(session, words)
            self._plan_flush(TEXT_EVERY)
        elif isinstance(said, STATE_UPDATES):
            self._plan_flush(TEXT_EVERY)
        elif isinstance(said, (ToolCall, PlanReplaced, TurnEnded)):
            if isinstance(said, ToolCall):
                session.ahead.begin(session.ahead.step_id(said.tool_call_id))
            elif isinstance(said, TurnEnded):
                session.ahead.end_turn()
            self._plan_flush(EDGE_EVERY)

    def count(self, frame: int) -> None:
        """Frame `frame` has been handled: what it meant is kept here or stored."""
        self.taken = frame
        self._plan_flush(ACK_EVERY)

    def forget(self, session_id: UUID) -> None:
        """Read where a session stands again before its next words: something else was written there."""
        session = self._sessions.get(session_id)
        if session is not None and not session.heard:
            _show_now(session)
            del self._sessions[session_id]

    def leave(self, before: Standing) -> None:
        """A session goes on in another attempt; until `begin_turn`, what comes in it still belongs to this one.

        Everything that was taken before must be stored.
        """
        over = replace(before, left=True, live=False)
        self._left[over.session_id] = _Left(_Session(over, over.copy()))
        self.forget(over.session_id)

    def begin_turn(self, session_id: UUID, heard: int) -> None:
        """The first prompt in the other attempt goes out now: what comes in frames after `heard` belongs to that."""
        if session_id in self._left:
            self._left[session_id].upto = heard

    def has_left(self, session_id: UUID, frame: int | None) -> bool:
        """Whether what came in this frame belongs to the attempt that its session has left."""
        left = self._left.get(session_id)
        return left is not None and frame is not None and (left.upto is None or frame <= left.upto)

    async def _open(self, session_id: UUID) -> _Session | None:
        standings = await patiently(read_async, transcript.load, [session_id])
        if session_id not in standings:
            return None
        standing = standings[session_id]
        session = self._sessions[session_id] = _Session(standing, standing.copy())
        return session

    # Recording

    @property
    def wait(self) -> float:
        """Seconds until `tick` has something to do."""
        now = time.monotonic()
        times = [s.shown_at + SHOW_EVERY for s in self._sessions.values() if s.unseen]
        if self._due is not None:
            times.append(self._due)
        return max(0.0, min(times) - now) if times else 60.0

    async def tick(self) -> bool:
        """Show and record what is due; True when something was recorded."""
        self._show()
        if self._due is None or self._due > time.monotonic():
            return False
        return await self.flush()

    async def flush(self) -> bool:
        """Record everything taken so far; True when it moved `stored`. Raises `Replaced`."""
        self._due = None
        if self.taken == self.stored and not self._updates:
            return False
        speaking = [session for session in self._speakers() if session.heard]
        received = self.taken
        await self._record(speaking, received)
        for session in speaking:
            session.heard = []
        self._left = {pk: left for pk, left in self._left.items() if left.upto is None or left.upto > received}
        self._updates = self._chars = 0
        self.stored, self._flushed_at = received, time.monotonic()
        return True

    def _speakers(self) -> list[_Session]:
        return [*(left.session for left in self._left.values()), *self._sessions.values()]

    async def _record(self, speaking: Sequence[_Session], received: int) -> None:
        for _ in range(TRIES):
            batches = [transcript.Batch(s.standing, [one.whole() for one in s.heard]) for s in speaking]
            try:
                outcome = await patiently(self._submit, received, batches)
            except DatabaseError:
                # One row that the database will not take must not stop the link for ever.
                log.exception("link %s: frames up to %d could not be recorded", self.link, received)
                outcome = await patiently(self._submit, received, [])
                batches = []
            at = received if outcome.applied else self._moved(outcome)
            if at is None:
                # The task moved on under us (a takeover, a cancel): the same words, placed as evidence.
                await self._reload(speaking)
                continue
            self.stored = at
            if at >= received:  # Applied now, or before, though we were not told.
                for session, batch in zip(speaking, batches, strict=False):
                    session.standing = batch.after or session.standing
                return
        raise Replaced

    async def _submit(self, received: int, batches: list[transcript.Batch]) -> Outcome:
        decide = seldom_reading if self._chars <= MAX_HERE else read_async
        future = await decide(
            transcript.record,
            self.link,
            epoch=self.epoch,
            since=self.stored,
            received=received,
            batches=batches,
            actor=self.actor,
        )
        return await commit.outcome(future)

    def _moved(self, outcome: Outcome) -> int | None:
        """How far the link's row is, where that was the mismatch. Raises `Replaced`."""
        mismatch = outcome.mismatch
        if mismatch is None or mismatch.row is None:
            raise Replaced
        if mismatch.model != "agents.Connection":
            return None
        if mismatch.row["epoch"] != self.epoch:
            raise Replaced
        return int(mismatch.row["received"])

    async def _reload(self, speaking: Sequence[_Session]) -> None:
        # Those of an attempt that was left are over for good, and place their words where they stand.
        moved = {s.standing.session_id: s for s in speaking if not s.standing.left}
        standings = await patiently(read_async, transcript.load, list(moved))
        for pk, session in moved.items():
            session.standing = standings[pk]
            session.ahead = standings[pk].copy()
            session.unseen = {}
            for heard in session.heard:
                said = heard.whole()
                if (words := session.ahead.words(said)) is not None:
                    session.ahead.place(words)
                elif isinstance(said, ToolCall):
                    session.ahead.begin(session.ahead.step_id(said.tool_call_id))

    def _plan_flush(self, every: float) -> None:
        at = max(time.monotonic(), self._flushed_at + every) if every < ACK_EVERY else time.monotonic() + every
        self._due = at if self._due is None else min(self._due, at)

    # Showing

    def _show_later(self, session: _Session, words: Words) -> None:
        place = session.ahead.place(words)
        if place is None:
            return
        first: tuple[int, str, int, list[str]] = (place.ordinal, words.kind, place.length, [])
        session.unseen.setdefault(place.part_id, first)[3].append(words.text)

    def _show(self) -> None:
        """Pass streaming text on to those who watch, at most four times a second per attempt."""
        now = time.monotonic()
        for session in self._sessions.values():
            if not session.unseen or now - session.shown_at < SHOW_EVERY:
                continue
            _show_now(session)
            session.shown_at = now


def _show_now(session: _Session) -> None:
    attempt_id = session.ahead.attempt_id
    for part_id, (ordinal, kind, offset, pieces) in session.unseen.items():
        text = "".join(pieces)
        shown = {
            "attempt": str(attempt_id),
            "part": str(part_id),
            "ordinal": ordinal,
            "kind": kind,
            "at": offset + max(0, len(text) - MAX_SHOWN),
            "text": text[-MAX_SHOWN:],
        }
        bus.live(attempt_id, shown)
    session.unseen = {}


async def patiently(work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do `work`, and again while the database is away; then what it raised last."""
    until, pause = time.monotonic() + PATIENCE, 0.05
    while True:
        try:
            return await work(*args, **kwargs)
        except (Busy, OutcomeUnknown, OperationalError, InterfaceError):
            if time.monotonic() > until:
                raise
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, 2.0)
