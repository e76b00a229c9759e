"""One agent, one server: keeps an agent's messages flowing over a WebSocket that comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import socket
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from agents.connector import wire
from agents.connector.backoff import Backoff
from agents.connector.child import Child
from agents.connector.deciding import Owner
from agents.connector.exits import NOT_STARTED, REFUSED, REPLACED, UNREACHABLE
from agents.connector.git import Repository
from agents.connector.link import Link, Rules, dump
from agents.connector.outbox import UnknownPosition
from agents.connector.policy import Policy
from agents.connector.spool import PIECE, Line
from agents.connector.tools import extensions
from agents.connector.waking import cut_when_dead, cut_when_silent
from agents.connector.watch import NOBODY, Watch
from agents.connector.wire import Elsewhere, Lost, Refused, Replaced
from agents.connector.workdir import Sync
from agents.connector.workplace import Workplace
from agents.protocol import version

LAST_WORDS = 10.0
"""Seconds that the last messages of an ended agent are still read."""
LAST_ACKS = 105.0
"""Seconds that they are still tried to be sent: for as long the server waits for somebody who is away."""
LAST_FILES = 60.0
"""Seconds that its last files are."""
_PROVEN = 30.0
_CONNECTED = 5.0
"""Seconds after which a connection counts as a good one, so that its loss is met with the first waiting time."""


@dataclass(frozen=True)
class Settings:
    """What a bridge needs to know; `url` is the server's address as a person types it (http or https).

    `root` is where work directories are made, with a `repository` as worktrees of it, `patterns` is what is never sent
    of them, `owner` who decides there, `mcp` one of `tools.CHOICES`. `scale` stretches (or, for tests, shrinks) every
    waiting time.
    """

    url: str
    key: str = field(repr=False)
    root: Path
    name: str = ""
    owner: Owner = field(default_factory=lambda: Owner(Policy()))
    restart: bool = False
    scale: float = 1.0
    repository: Repository | None = None
    patterns: tuple[str, ...] = ()
    mcp: str = "http"


@dataclass
class _Life:
    """One life of the agent: it starts when the server has taken the key, and may outlive many connections."""

    link_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    link: Link | None = None
    pump: asyncio.Task[None] | None = None
    over: bool = False


class Bridge:
    """Carries one agent to one server until the agent ends, the server refuses, or `stop` is called.

    `start_child` is called once the server has taken the key, and again for every restart. `say` gets plain
    sentences for the person at the machine, `noise` what the agent writes between its messages;
    `on_connected` is called each time the server has taken the key, `on_retired` when it takes none of this agent's
    any more, `watch` is told how it stands. Raises `wire.BadAddress` for an address that cannot be one.
    """

    def __init__(
        self,
        settings: Settings,
        start_child: Callable[[], Awaitable[Child]],
        *,
        say: Callable[[str], None] = print,
        noise: Callable[[bytes], None] = lambda _: None,
        on_connected: Callable[[], None] = lambda: None,
        on_retired: Callable[[], None] = lambda: None,
        watch: Watch = NOBODY,
    ) -> None:
        self._settings = settings
        self._address = wire.socket_address(settings.url)
        self._start_child = start_child
        self._say = say
        self._on_connected = on_connected
        self._on_retired = on_retired
        self._watch = watch
        self._welcomed = False
        self._backoff = Backoff(settings.scale)
        self._stopping = asyncio.Event()
        self._online = asyncio.Event()
        sync = Sync(self._wait_online, settings.scale)
        place = Workplace(settings.root, settings.repository, settings.patterns)
        self._rules = Rules(place, settings.owner, sync, say, noise, settings.mcp)
        self._socket: ClientConnection | None = None
        self._since = math.inf

    def stop(self) -> None:
        """Ask `run` to end the agent and return; safe to call from a signal handler of the loop, and twice."""
        self._stopping.set()

    async def run(self) -> int:
        """Carry until the end; the exit code.

        The agent's own, 3 refused, 4 replaced, 5 not the server that was meant, 127 could not be started, 0 after
        `stop`.
        """
        code = await self._run()
        self._watch.ended(code)
        return code

    async def _run(self) -> int:
        restarts = Backoff(self._settings.scale)
        clock = asyncio.get_running_loop().time
        while True:
            born = clock()
            code = await self._live(_Life())
            if self._stopping.is_set():
                return 0
            if not self._settings.restart or code in (REFUSED, REPLACED):
                return code
            if clock() - born > _PROVEN * self._settings.scale:
                restarts.reset()
            delay = restarts.next()
            self._say(f"starting it again in {delay:.0f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _live(self, life: _Life) -> int:
        carrying = asyncio.create_task(self._keep_connected(life))
        ending = asyncio.create_task(self._until_end(life))
        try:
            await asyncio.wait({carrying, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                return await carrying
            code = ending.result()
            if not self._stopping.is_set():
                self._say(_how_it_ended(code))
                self._say_if_mute(life)
            await self._part(life, code)
            return code
        except Refused as refused:
            if refused.for_good:
                self._on_retired()
            self._say(f"the server refused the key: {refused} {_what_then(refused, self._settings.root)}")
            return REFUSED
        except Replaced:
            self._say(
                "another connection with the same key has taken over, so this one ends; "
                "run the agent in one place only, or give each its own key on the agent's page"
            )
            return REPLACED
        except Elsewhere as elsewhere:
            self._say(str(elsewhere))
            return UNREACHABLE
        finally:
            await _cancel(ending, carrying)
            if life.link is not None:
                await life.link.close()
            await _cancel(life.pump)

    # The agent's side.

    async def _begin(self, life: _Life) -> Link:
        """Start the agent: only now, since a server that refuses the key needs no agent."""
        child = await self._start_child()
        life.link = Link(life.link_id, child, self._rules)
        self._say(f"it works in folders below {self._settings.root}")
        life.pump = asyncio.create_task(life.link.pump())
        life.begun.set()
        return life.link

    async def _until_end(self, life: _Life) -> int:
        """Wait until the agent has ended, or shall, and its last messages are stored; its exit code."""
        await _first(life.begun.wait(), self._stopping.wait())
        link, pump = life.link, life.pump
        if link is None or pump is None:
            return 0
        await _first(asyncio.shield(pump), self._stopping.wait())
        asked_to_stop = not pump.done()
        code = await link.child.close()
        # Someone who stops us is waiting at the keyboard.
        hurry = 2.0 * self._online.is_set() if asked_to_stop else math.inf
        for last, limit in ((_done(pump), LAST_WORDS), (link.settle(), LAST_FILES), (link.flush(), LAST_ACKS)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(last, min(limit, hurry) * self._settings.scale)
        if pump.done() and (problem := pump.exception()) is not None:
            self._say(f"the agent's messages could not be read: {problem!r}")
        return code

    async def _part(self, life: _Life, code: int) -> None:
        life.over = True
        if life.link is not None:
            # A server that reads nothing hears nothing.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wire.CLOSING):
                    await self._tell(version.EXITED, {"code": code, "stderr_tail": life.link.child.stderr_tail()})
        if self._socket is not None:
            await wire.hang_up(self._socket)

    def _say_if_mute(self, life: _Life) -> None:
        if life.link is not None and not life.link.spoke:
            self._say("the agent said nothing that an ACP agent says; see that the command starts its ACP mode")

    async def _tell(self, method: str, params: dict[str, Any]) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError, ConnectionClosed):
                frame = {"jsonrpc": "2.0", "method": method, "params": params}
                await self._socket.send(dump(frame), text=True)

    # The server's side.

    async def _wait_online(self) -> None:
        await self._online.wait()

    async def _keep_connected(self, life: _Life) -> int:
        """Connect again and again; returns only when the agent cannot be started, raises when refused."""
        clock = asyncio.get_running_loop().time
        while True:
            self._since = math.inf
            try:
                return await self._connect(life)
            except Lost as lost:
                if life.over:
                    return 0
                # Who has just typed the address learns that it is wrong; who stays comes back from a hotel's network.
                if isinstance(lost, Elsewhere) and not (self._welcomed or self._settings.restart):
                    raise
                if clock() - self._since > _CONNECTED * self._settings.scale:
                    self._backoff.reset()
                self._watch.lost(str(lost))
                delay = self._backoff.next()
                self._say(f"{lost}, trying again in {delay:.0f} s")
                if lost.waited:
                    self._say_if_mute(life)
            await asyncio.sleep(delay)

    async def _connect(self, life: _Life) -> int:
        link_id = life.link_id if life.link is None else life.link.id
        told = wire.headers(self._settings.key, link_id, self._settings.name, extensions(self._settings.mcp))
        async with wire.dial(self._address, told) as connection:
            self._socket = connection
            try:
                return await self._carry(connection, life)
            finally:
                self._socket = None
        raise Lost("connection lost")

    async def _carry(self, connection: ClientConnection, life: _Life) -> int:
        received, name = await self._resumed(connection)
        self._since = asyncio.get_running_loop().time()
        self._welcomed = True
        self._on_connected()
        await self._tell(version.POLICY, self._settings.owner.policy.told())
        called = name or self._settings.name or "agent"
        self._watch.connected(called)
        self._say(f"connected as {called} (agent on {socket.gethostname()})")
        try:
            link = life.link or await self._begin(life)
        except OSError as problem:
            self._say(f"the agent cannot be started: {problem}")
            await self._tell(version.EXITED, {"code": NOT_STARTED, "stderr_tail": str(problem)})
            return NOT_STARTED
        try:
            link.resume(received)
        except UnknownPosition:
            # The server was restored from a backup, say. The agent goes on; the server meets it anew.
            self._say("it was restored from a backup, it seems; what the agent was doing is stopped")
            link.rename()
            raise Lost("the server does not remember this agent's messages") from None
        sending = asyncio.create_task(_send_outbox(connection, link))
        watching = [asyncio.create_task(cut(connection)) for cut in (cut_when_dead, cut_when_silent)]
        self._online.set()
        try:
            await self._receive(connection, link)
        finally:
            self._online.clear()
            await _cancel(sending, *watching)
        raise Lost("connection lost")

    async def _resumed(self, connection: ClientConnection) -> tuple[int, str]:
        """The server's first word: how much of this link it has, and how it calls the agent."""
        async with asyncio.timeout(60):
            while True:
                frame, _ = wire.read(await wire.receive(connection))
                told = wire.extension(frame)
                if told is not None and told[0] == version.RESUME:
                    received = told[1].get("received")
                    return received if isinstance(received, int) else 0, str(told[1].get("name") or "")
                if told is not None:
                    self._extension(*told)

    async def _receive(self, connection: ClientConnection, link: Link) -> None:
        while True:
            # Nothing of a message is held on to here while the next one is waited for.
            await self._received(link, *wire.read(await wire.receive(connection)))

    async def _received(self, link: Link, frame: wire.Frame, raw: Line) -> None:
        told = wire.extension(frame)
        if told is None:
            link.take(frame, raw)
        elif told[0] == version.ACK:
            received = told[1].get("received")
            # An impossible number is the server's mistake; the next resume sorts it out.
            with contextlib.suppress(UnknownPosition):
                link.acknowledge(received if isinstance(received, int) else 0)
        elif told[0] == version.STALE:
            link.came_too_late(told[1])
            # Said again after every reconnect until we say that we know.
            await self._tell(version.NOTED, {"request": told[1].get("request")})
        else:
            self._extension(*told)

    def _extension(self, method: str, params: dict[str, Any]) -> None:
        if method == version.REFUSED:
            raise wire.refusal(params)
        if method == version.DRAINING:
            # Its `retry_after` is the width of our first wait's jitter: nobody comes back at the same instant.
            self._say("the server is about to restart")


def _what_then(refused: Refused, root: Path) -> str:
    if refused.for_good:
        return f"Its key is no longer kept here; what it worked on is left in {root}."
    return "Make a new line or key on the agent's page."


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"the agent ended with code {code}"
    with contextlib.suppress(ValueError):
        return f"the agent was ended by {signal.Signals(-code).name}"
    return f"the agent was ended by signal {-code}"


async def _send_outbox(connection: ClientConnection, link: Link) -> None:
    sent = link.outbox.acknowledged
    # A closed connection is noticed, and told, by the side that receives.
    with contextlib.suppress(ConnectionClosed):
        while True:
            frame = link.outbox.to_send(sent, PIECE)
            if frame is None:
                link.news.clear()
                await link.news.wait()
            else:
                await connection.send(frame, text=True)
                # Never behind what was let go, whatever the server says it has.
                sent = max(sent + 1, link.outbox.acknowledged)


async def _first(*waits: Awaitable[Any]) -> None:
    tasks = {asyncio.ensure_future(wait) for wait in waits}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await _cancel(*tasks)


async def _done(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})


async def _cancel(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancel tasks and wait for their end; what they raised has been looked at by now."""
    for task in tasks:
        if task is None:
            continue
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
