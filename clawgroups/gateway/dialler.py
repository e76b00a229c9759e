"""Dials the agents that do not dial in: each from one process at a time, for as long as it serves.

An agent at an address serves the protocol's remote transport, WebSocket profile. Once connected it is a socket like
any other that has no extensions: the same `Link`, the same rows.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

from django.conf import settings
from websockets.asyncio.client import ClientConnection

from agents.models import Dial
from agents.protocol import version
from clawgroups import bus, draining, sealing
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.addresses import DialAddress, read_address
from clawgroups.core.errors import ClawError, Conflict, Invalid, NotFound
from clawgroups.core.shrinking import shrunk_text
from clawgroups.gateway.acp import carry
from clawgroups.gateway.dialled import Dialled
from clawgroups.gateway.hello import Hello
from clawgroups.gateway.link import Link
from clawgroups.gateway.reach import Jar, Resolve, Unreached, reach, resolve
from clawgroups.gateway.reads import Held
from clawgroups.services import contact, dialling
from clawgroups.services.dials import purpose
from clawgroups.services.perform import perform_async, perform_shared, read_async, read_shared

log = logging.getLogger(__name__)

MOST = 256  # agents that one process dials
OPENING = 16  # of them at the same time
POLL = 3.0  # seconds until a lost hint is made up for
RENEW = 10.0
PROVEN = 30.0  # seconds after which a connection was a good one: the pauses begin anew
LEAVE = 10.0
BY_ITSELF = 5.0  # seconds until an agent that came in by itself is looked at again
# What an agent's host says when it does not want us at all; the last two are registered codes.
UNWANTED = frozenset({version.CLOSE_REFUSED, version.CLOSE_FORBIDDEN, 3000, 3003})


@dataclass(frozen=True, slots=True)
class End:
    """How a try or a connection ended: for good (until its owner does something), or to be tried again."""

    said: str
    final: bool = False
    after: float | None = None


@dataclass(slots=True)
class _One:
    """An agent that this process is at."""

    epoch: int = 0
    link: Link | None = None
    task: asyncio.Task[None] | None = None
    ended: End | None = None
    over: bool = False

    def stop(self, code: int, end: End) -> None:
        """Hang up, or leave off trying."""
        if self.link is not None:
            self.link.end(code, end.said)
        elif not self.over and self.ended is None and self.task is not None:
            self.ended = end
            self.task.cancel()


class Dialler:
    """One per event loop. A hint makes it look at the rows at once, else it looks every few seconds."""

    def __init__(self, *, process: str = bus.PROCESS, most: int = MOST, resolve: Resolve = resolve) -> None:
        self._process, self._most, self._resolve = process, most, resolve
        self._ones: dict[UUID, _One] = {}
        self._jars: dict[UUID, Jar] = {}
        self._news = asyncio.Event()
        self._opening = asyncio.Semaphore(OPENING)
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe: Callable[[], None] | None = None

    def serve(self) -> None:
        """From now on dial whoever is due."""
        if self._tasks:
            return
        loop = asyncio.get_running_loop()
        self._unsubscribe = bus.subscribe(bus.dials_topic(), lambda _topic, _value: self._hint(loop))
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._renew())]

    async def rest(self) -> None:
        """Dial nobody any more, and hang up: another process goes on at once."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        going = [one.task for one in self._ones.values() if one.task is not None]
        for one in list(self._ones.values()):
            one.stop(version.CLOSE_DRAINING, End("The server restarts.", after=0.0))
        if going:
            _, late = await asyncio.wait(going, timeout=LEAVE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def leave(self, _retry_after: float) -> None:
        """The process is going."""
        await self.rest()

    def _hint(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called from any thread."""
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._news.set)

    async def _follow(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._look()
            except Exception:
                log.exception("could not look at whom to dial")
            try:
                async with asyncio.timeout(POLL * settings.CLOCK_SCALE):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _look(self) -> None:
        held = {agent_id: one.epoch for agent_id, one in self._ones.items()}
        found = await read_shared(dialling.look, held, self._most - len(held))
        for agent_id in found.moved:
            one = self._ones.get(agent_id)
            if one is not None and one.epoch == held[agent_id]:
                one.stop(version.CLOSE_NORMAL, End("Its address was changed.", after=0.0))
        for agent_id in found.due:
            if agent_id not in self._ones:
                one = self._ones[agent_id] = _One()
                one.task = asyncio.create_task(self._serve(agent_id, one))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW * settings.CLOCK_SCALE)
            held = {agent_id: one.epoch for agent_id, one in self._ones.items() if one.epoch}
            if held:
                try:
                    await perform_shared(dialling.renew_dials, held)
                except Exception:
                    log.exception("could not renew %d dials", len(held))

    async def _serve(self, agent_id: UUID, one: _One) -> None:
        """One try, and one connection where it succeeds. Should this fail, the lease runs out: it is tried again."""
        try:
            row = await self._claim(agent_id, one)
            if row is not None:
                began = time.monotonic()
                end = await self._end_of(row, one)
                one.over = True
                proven = one.link is not None and time.monotonic() - began > PROVEN * settings.CLOCK_SCALE
                await self._record(row, end, 1 if proven else row.tries + 1)
        except Exception:
            log.exception("dialling agent %s failed", agent_id)
        finally:
            del self._ones[agent_id]
            self._news.set()

    async def _claim(self, agent_id: UUID, one: _One) -> Dial | None:
        try:
            taken = await perform_async(dialling.claim_dial, agent_id, process=self._process)
        except (Conflict, NotFound):
            return None  # Another process was quicker.
        one.epoch = taken.answer["epoch"]
        return await read_async(dialling.claimed, agent_id, one.epoch)

    async def _end_of(self, row: Dial, one: _One) -> End:
        try:
            return await self._try(row, one)
        except asyncio.CancelledError:
            if one.ended is None:
                raise
            return one.ended
        except Unreached as problem:
            return End(problem.said, problem.final, problem.after)
        except Invalid as wrong:
            return End(wrong.message, final=True)
        except sealing.Unreadable:
            return End("Its key cannot be read since the server's secret was changed: enter it again.", final=True)
        except ClawError as refusal:
            return End(refusal.message)

    async def _try(self, row: Dial, one: _One) -> End:
        address = read_address(row.address, plain=settings.DIAL_PLAIN)
        secret = sealing.unseal(row.secret, purpose=purpose(row.pk))
        async with self._opening:
            connection = await reach(
                address,
                secret=secret,
                jar=self._jar(row),
                private=row.private or settings.DIAL_PRIVATE,
                resolve=self._resolve,
            )
        socket = Dialled(connection)
        async with socket.watched():
            one.link = await self._admit(row, address, connection, socket)
            await carry(one.link, socket.receive)
        return _how_it_ended(socket, one.link)

    def _jar(self, row: Dial) -> Jar:
        """The cookies of this address; another one begins without."""
        jar = self._jars.get(row.pk)
        if jar is None or jar.address != row.address:
            if len(self._jars) >= 4 * self._most:
                self._jars.clear()
            jar = self._jars[row.pk] = Jar(row.address)
        return jar

    async def _admit(self, row: Dial, address: DialAddress, connection: ClientConnection, socket: Dialled) -> Link:
        named = "" if connection.response is None else connection.response.headers.get("Acp-Connection-Id", "")
        client = {"address": f"{address.host}:{address.port}", "dialled": str(address), "id": shrunk_text(named, 200)}
        hello = Hello(authorization=None, link=uuid4(), extensions=frozenset(), client=client)
        opened = await perform_async(
            contact.open_connection,
            row.pk,
            key_id=None,
            link=hello.link,
            client=client,
            process=self._process,
            dial=row.epoch,
        )
        held = Held(row.pk, hello.link, opened.answer["epoch"], None)
        actor = Actor(ActorKind.AGENT, row.agent.name, agent_id=row.pk)
        return Link(hello, held, actor, opened.answer["received"], socket.send)

    async def _record(self, row: Dial, end: End, tries: int) -> None:
        again = end.after if end.after is not None else dialling.pause_after(tries, random.random())
        try:
            await perform_async(
                dialling.dial_ended,
                row.pk,
                epoch=row.epoch,
                said=end.said,
                tries=tries,
                again=None if end.final else again,
            )
        except Conflict:
            log.info("the dial of agent %s was changed meanwhile", row.pk)


def _how_it_ended(socket: Dialled, link: Link) -> End:
    if socket.code is None:
        code, reason = socket.theirs
        said = f"It closed the connection ({code}{': ' if reason else ''}{shrunk_text(reason, 200)})."
        return End(said if code != 1006 else "The connection was lost.", final=code in UNWANTED)
    said = socket.reason or link.ended
    if socket.code in (version.CLOSE_REFUSED, version.CLOSE_FORBIDDEN):
        return End(said, final=True)
    if socket.code == version.CLOSE_REPLACED:
        return End("It has come in by a connection of its own.", after=BY_ITSELF * settings.CLOCK_SCALE)
    if socket.code in (version.CLOSE_NORMAL, version.CLOSE_DRAINING):
        return End(said, after=0.0)
    return End(said)


_diallers: WeakKeyDictionary[asyncio.AbstractEventLoop, Dialler] = WeakKeyDictionary()


def dialler() -> Dialler:
    """This process's dialler (one per event loop)."""
    loop = asyncio.get_running_loop()
    found = _diallers.get(loop)
    if found is None:
        found = _diallers[loop] = Dialler()
        draining.on_drain(found.leave)
    return found
