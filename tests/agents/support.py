"""A server and agents to try the connector with: loopback only, no clock, everything waited for by
condition.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
import urllib.parse
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from agents.connector.bridge import Bridge, Settings
from agents.connector.child import Child
from agents.connector.deciding import Owner
from agents.connector.policy import Policy
from agents.connector.rules import PolicyFile
from agents.connector.spool import PIECE, Line, whole

PATIENCE = 60.0
SCALE = 0.002
Frame = dict[str, Any]


class Gate:
    """Lets a test wait until something is so, woken by whoever changed it."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@dataclass
class FakeLink:
    """What the server has taken from one link."""

    frames: list[Frame] = field(default_factory=list)
    acknowledged: int = 0


class FakeServer(Gate):
    """Speaks the server's half of the link extension and counts like the real one."""

    def __init__(self) -> None:
        super().__init__()
        self.links: dict[str, FakeLink] = {}
        self.upgrades: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.extensions: list[Frame] = []
        self.policies: list[Frame] = []
        """What each connection said that its owner allows."""
        self.closes: list[int | None] = []
        self.acks = True
        self.forget = False
        self.claims: Callable[[int], int] = lambda received: received
        """What it says to have received, of what it has."""
        self.refuse: tuple[str, int] | None = None
        self.close_with: int | None = None
        self.status: int | None = None
        self.connection: ServerConnection | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def frames(self) -> list[Frame]:
        """What came over the newest link."""
        return list(self.links.values())[-1].frames if self.links else []

    def answers(self, frame_id: Any) -> list[Frame]:
        return [frame for frame in self.frames if "method" not in frame and frame.get("id") == frame_id]

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._handle,
            "127.0.0.1",
            0,
            max_size=None,
            compression=None,
            process_request=self._request,
            # A handler that has stopped reading would hold a close up.
            close_timeout=0.5,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _request(self, connection: ServerConnection, request: Any) -> Any:
        if self.status is not None:
            self.upgrades.append(dict(request.headers.raw_items()))
            self.changed()
            return connection.respond(self.status, "no")
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        told = dict(connection.request.headers.raw_items())
        self.upgrades.append(told)
        self.paths.append(connection.request.path)
        if self.refuse is not None:
            message, code = self.refuse
            await send(connection, "_clawgroups/refused", {"code": "key_revoked", "message": message})
            await connection.close(code)
        elif self.close_with is not None:
            await connection.close(self.close_with)
        else:
            with contextlib.suppress(ConnectionClosed):
                await self._take(connection, told["Claw-Link"])
        self.closes.append(None if connection.protocol.close_rcvd is None else connection.protocol.close_rcvd.code)
        self.changed()

    async def _take(self, connection: ServerConnection, link_id: str) -> None:
        known = link_id in self.links and not self.forget
        link = self.links[link_id] if known else self.links.setdefault(link_id, FakeLink())
        received = len(link.frames) if not self.forget else 0
        self.connection = connection
        resume = {"link": link_id, "received": self.claims(received), "name": "Scribe"}
        await send(connection, "_clawgroups/resume", resume)
        self.changed()
        async for message in connection:
            # A dropped connection's last frames were not stored, though the socket may still hold them.
            if self.connection is not connection:
                return
            assert isinstance(message, str)
            frame = json.loads(message)
            if frame.get("method") == "_clawgroups/policy":
                self.policies.append(frame["params"])
            elif str(frame.get("method", "")).startswith("_clawgroups/") and frame["method"] != "_clawgroups/decided":
                self.extensions.append(frame)
            else:
                link.frames.append(frame)
            self.changed()
            if self.acks:
                await send(connection, "_clawgroups/ack", {"received": len(link.frames)})

    async def send(self, frame: Frame) -> None:
        assert self.connection is not None
        text = json.dumps({"jsonrpc": "2.0", **frame})
        # Long ones bit by bit, as the real one does.
        pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
        await self.connection.send(text if len(pieces) == 1 else pieces)

    async def drop(self) -> None:
        """Cut the line without a word, and wait for the next connection."""
        connection, before = self.connection, len(self.upgrades)
        assert connection is not None
        self.connection = None
        connection.transport.abort()
        await self.until(lambda: len(self.upgrades) > before and self.connection is not None)


async def send(connection: ServerConnection, method: str, params: Frame) -> None:
    await connection.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}))


class ScriptedChild(Gate):
    """A `Child` whose lines are put in by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Frame] = []
        self.closed = False
        self.code = 0
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def lines(self) -> AsyncIterator[bytes]:
        while (line := await self._lines.get()) is not None:
            yield line

    async def write(self, line: Line) -> None:
        assert b"\n" not in whole(line)
        self.heard.append(json.loads(whole(line)))
        self.changed()

    async def close(self) -> int:
        self.closed = True
        self._lines.put_nowait(None)
        return self.code

    def stderr_tail(self) -> str:
        return "last words"

    def say(self, frame: Frame | bytes) -> None:
        self._lines.put_nowait(frame if isinstance(frame, bytes) else json.dumps({"jsonrpc": "2.0", **frame}).encode())

    def end(self, code: int) -> None:
        self.code = code
        self._lines.put_nowait(None)

    def asked(self, method: str) -> list[Frame]:
        return [frame for frame in self.heard if frame.get("method") == method]


@dataclass
class Running:
    """A bridge under way, its agent(s) and what it told the person."""

    bridge: Bridge
    task: asyncio.Task[int]
    said: list[str]
    children: list[ScriptedChild]
    noise: list[bytes]

    @property
    def child(self) -> ScriptedChild:
        return self.children[-1]

    async def code(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self.task


@contextlib.asynccontextmanager
async def bridged(server: FakeServer, root: Path, **settings: Any) -> AsyncIterator[Running]:
    """A bridge to the fake server, its agent started; stopped at the end."""
    said: list[str] = []
    children: list[ScriptedChild] = []
    noise: list[bytes] = []

    async def start() -> Child:
        children.append(ScriptedChild())
        server.changed()
        return children[-1]

    if "allow" in settings:
        settings["owner"] = Owner(Policy.of(PolicyFile(), settings.pop("allow")))
    wanted = Settings(**{"url": server.url, "key": "cg_test", "root": root, "scale": SCALE, **settings})
    bridge = Bridge(wanted, start, say=said.append, noise=noise.append)
    running = Running(bridge, asyncio.create_task(bridge.run()), said, children, noise)
    try:
        yield running
    finally:
        bridge.stop()
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({running.task})


@dataclass
class FileStore:
    """The files of one session, over HTTP."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    puts: list[tuple[str, str, str]] = field(default_factory=list)
    """(name, content type, authorization) of each upload, failed ones too."""
    gets: list[str] = field(default_factory=list)
    failures: dict[str, list[int]] = field(default_factory=dict)
    """Status codes to answer with first, by name ("" is the list)."""
    listed: list[Frame] | None = None
    lies: bool = False
    late: dict[str, str | None] = field(default_factory=dict)
    """Names that are answered 409, with what they are kept as."""
    hold: threading.Event = field(default_factory=threading.Event)

    def listing(self) -> list[Frame]:
        if self.listed is not None:
            return self.listed
        return [
            {
                "name": name,
                "sha256": hashlib.sha256(b"other" if self.lies else body).hexdigest(),
                "size": len(body),
                "url": f"{self.url}/{urllib.parse.quote(name)}",
            }
            for name, body in self.files.items()
        ]


class _FileHandler(BaseHTTPRequestHandler):
    store: FileStore

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def _name(self) -> str:
        return urllib.parse.unquote(self.path.removeprefix("/s/files").lstrip("/"))

    def _failed(self, name: str) -> bool:
        waiting = self.store.failures.get(name)
        if not waiting:
            return False
        self._answer(waiting.pop(0))
        return True

    def do_GET(self) -> None:
        name = self._name()
        self.store.gets.append(name)
        self.store.hold.wait(PATIENCE)
        if self.headers["Authorization"] != "Bearer session-key":
            self._answer(401)
        elif not self._failed(name):
            body = self.store.files.get(name) if name else json.dumps({"files": self.store.listing()}).encode()
            if body is None:
                self._answer(404)
            else:
                self._answer(200, body)

    def do_PUT(self) -> None:
        name = self._name()
        self.store.puts.append((name, self.headers["Content-Type"], self.headers["Authorization"]))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if name in self.store.late:
            problem = {"code": "stale_attempt", "current_epoch": 2, "kept_as": self.store.late[name]}
            self._answer(409, json.dumps(problem).encode())
        elif not self._failed(name):
            self.store.files[name] = body
            self._answer(204)

    def log_message(self, *_: Any) -> None:
        return None


@contextlib.contextmanager
def file_store() -> Iterator[FileStore]:
    """A file store on a free loopback port, for as long as the block lasts."""
    store = FileStore("")
    store.hold.set()
    handler = type("Handler", (_FileHandler,), {"store": store})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        store.url = f"http://127.0.0.1:{server.server_address[1]}/s/files"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield store
        finally:
            store.hold.set()
            server.shutdown()
            thread.join()
