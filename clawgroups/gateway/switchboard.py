"""All agents' sockets of one process: one poller, one renewer, one good-bye. No thread per agent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from django.conf import settings
from django.utils import timezone

from agents.protocol import version
from clawgroups import bus, draining
from clawgroups.gateway.reads import Held, Look, look
from clawgroups.services import contact
from clawgroups.services.perform import perform_shared, read_shared

log = logging.getLogger(__name__)

POLL = 2.0  # seconds until a lost hint is made up for
JOIN = 0.02  # seconds between two looks: hints that come meanwhile are looked at together
RENEW = 10.0
LEAVE = 5.0


class Line(Protocol):
    """What the switchboard needs of a socket."""

    held: Held

    def looked(self, found: Look) -> None:
        """The rows say this."""
        ...

    def store(self, token: str) -> None:
        """Store everything heard so far, and say so under `token`."""
        ...

    def end(self, code: int, reason: str) -> None:
        """Close, saying why."""
        ...

    async def leave(self, retry_after: float) -> None:
        """The process is going: say so, and store what was taken."""
        ...


class Switchboard:
    """One per event loop. A hint makes it look at one agent's rows at once, else it looks every two seconds."""

    def __init__(self) -> None:
        self._lines: dict[UUID, Line] = {}
        self._unsubscribe: dict[UUID, Callable[[], None]] = {}
        self._hinted: set[UUID] = set()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._serving = False

    def lines(self) -> list[Line]:
        """The sockets that are open now."""
        return list(self._lines.values())

    def add(self, line: Line) -> None:
        """Take a socket in; an older one of the same agent is closed. The newest wins."""
        agent_id = line.held.agent_id
        before = self._lines.get(agent_id)
        if before is not None:
            if before.held.link == line.held.link:
                before.end(version.CLOSE_NORMAL, "This link goes on elsewhere.")
            else:
                before.end(version.CLOSE_REPLACED, "Another connector came in for this agent.")
        else:
            loop = asyncio.get_running_loop()
            self._unsubscribe[agent_id] = self._subscribe(loop, agent_id)
        self._lines[agent_id] = line
        self._begin()
        self._look_soon(agent_id)

    def remove(self, line: Line) -> None:
        """Forget a socket; nothing happens where a newer one has taken its place."""
        agent_id = line.held.agent_id
        if self._lines.get(agent_id) is not line:
            return
        del self._lines[agent_id]
        self._unsubscribe.pop(agent_id)()
        self._hinted.discard(agent_id)
        if not self._lines and not self._serving:
            self._end()

    def serve(self) -> None:
        """From now on say that this process is there, whether it holds sockets or not."""
        self._serving = True
        self._begin()

    def rest(self) -> None:
        """Say so no more."""
        self._serving = False
        if not self._lines:
            self._end()

    def _begin(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._poll()), asyncio.create_task(self._renew())]

    def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    async def leave(self, retry_after: float) -> None:
        """Tell every socket that this process is going."""
        told = [asyncio.create_task(line.leave(retry_after)) for line in self.lines()]
        if told:
            await asyncio.wait(told, timeout=LEAVE)

    def _subscribe(self, loop: asyncio.AbstractEventLoop, agent_id: UUID) -> Callable[[], None]:
        leave = (
            bus.subscribe(bus.agent_topic(agent_id), lambda _topic, _value: self._hint(loop, agent_id)),
            bus.subscribe(bus.store_topic(agent_id), lambda _topic, token: self._store_soon(loop, agent_id, token)),
        )

        def unsubscribe() -> None:
            for each in leave:
                each()

        return unsubscribe

    def _store_soon(self, loop: asyncio.AbstractEventLoop, agent_id: UUID, token: str | None) -> None:
        """Called from any thread; a token of None only means that hints were missed."""
        if token is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._store, agent_id, token)

    def _store(self, agent_id: UUID, token: str) -> None:
        if agent_id in self._lines:
            self._lines[agent_id].store(token)

    def _hint(self, loop: asyncio.AbstractEventLoop, agent_id: UUID) -> None:
        """Called from any thread."""
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._look_soon, agent_id)

    def _look_soon(self, agent_id: UUID) -> None:
        if agent_id in self._lines:
            self._hinted.add(agent_id)
            self._news.set()

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        all_at = loop.time()
        while True:
            everybody = loop.time() >= all_at
            wanted = list(self._lines) if everybody else [one for one in self._hinted if one in self._lines]
            self._hinted.clear()
            self._news.clear()
            if everybody:
                all_at = loop.time() + POLL * settings.CLOCK_SCALE
            try:
                await self._look({agent_id: self._lines[agent_id] for agent_id in wanted})
            except Exception:
                log.exception("could not look at what agents are owed")
                await asyncio.sleep(POLL * settings.CLOCK_SCALE)
            await asyncio.sleep(JOIN)
            try:
                async with asyncio.timeout_at(all_at):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _look(self, lines: dict[UUID, Line]) -> None:
        if not lines:
            return
        found = await read_shared(look, {agent_id: line.held for agent_id, line in lines.items()})
        for agent_id, line in lines.items():
            # Not where another socket came meanwhile: what was read is about this one.
            if self._lines.get(agent_id) is line:
                line.looked(found[agent_id])
                self._look_when_over(agent_id, found[agent_id].ends_at)

    def _look_when_over(self, agent_id: UUID, ends_at: datetime | None) -> None:
        """Nobody tells of a key whose time is over; one that ends before all are looked at again is looked at then."""
        if ends_at is None:
            return
        left = max(0.0, (ends_at - timezone.now()).total_seconds())
        if left < POLL * settings.CLOCK_SCALE:
            asyncio.get_running_loop().call_later(left, self._look_soon, agent_id)

    async def _renew(self) -> None:
        every = RENEW * settings.CLOCK_SCALE
        while True:
            held = {line.held.link: line.held.epoch for line in self._lines.values()}
            try:
                await perform_shared(contact.renew_connections, held, every=every)
            except Exception:
                log.exception("could not renew %d leases", len(held))
            await asyncio.sleep(every)


_boards: WeakKeyDictionary[asyncio.AbstractEventLoop, Switchboard] = WeakKeyDictionary()


def switchboard() -> Switchboard:
    """This process's switchboard (one per event loop)."""
    loop = asyncio.get_running_loop()
    board = _boards.get(loop)
    if board is None:
        board = _boards[loop] = Switchboard()
        draining.on_drain(board.leave)
    return board
