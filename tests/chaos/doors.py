"""Open sockets of people and agents, as raw clients of one event loop: when each was told what, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage

from tests.stories.script import Script

Json = dict[str, Any]
AT_ONCE = 30  # sockets that come together
LOOK = 0.01
TRIES = 3
PATIENCE = 60.0
COOKIE, CSRF = "claw_session", "claw_csrf"
SAID = re.compile(r"message-([0-9a-f-]{36})")
TOLD = {"message.posted": "message_id", "invitation.made": "invitation_id"}
HALF_A_TOKEN = "a" * 32


async def until(fits: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait for something that sockets bring."""
    ends = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < ends, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(LOOK)


@dataclass
class Line:
    """One socket: a `page`, a `journal`, or an `agent`. `by` names what it came in by, `whose` its person or agent."""

    kind: str
    whose: str
    by: str
    secret: str
    heard: dict[str, float] = field(default_factory=dict)
    """Messages, invitations and requests by their ids, and when it was told of them first."""
    resets: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    is_in: bool = False
    code: int = 0
    ended: float = 0.0

    def knows(self) -> float:
        """When it was closed, or told to begin anew; 0 while it was neither."""
        return self.ended or (self.resets[0] if self.resets else 0.0)

    async def open(self, url: Script, workspace: str, after: int) -> None:
        """Come in, and stay as long as one may."""
        self._workspace = workspace
        headers = {"Authorization": f"Bearer {self.secret}"}
        if self.by in ("here", "elsewhere"):
            headers = {"Cookie": f"{COOKIE}={self.secret}", "Origin": url.url}
        query = urlencode({"generation": 1, "after": after})
        path = {"page": "/ws/", "agent": "/acp/connect"}.get(self.kind, f"/ws/workspaces/{workspace}/?{query}")
        self._socket = await _connected(f"ws://{url.host}:{url.port}{path}", headers)
        self._reader = asyncio.create_task(self._read())
        if self.kind == "page":
            await self._say({"type": "people", "workspace": workspace}, {"type": "needs"})
            await self._subscribe(after)
        # By an answer, or by the end of it.
        await until(lambda: self.is_in or bool(self.ended) or bool(self.errors), f"an answer to {self}")

    async def leave(self) -> None:
        await self._socket.close()
        await self._reader

    async def types(self) -> None:
        """Say that somebody types."""
        await self._say({"type": "typing", "workspace": self._workspace}, {"type": "no-such-message"})

    async def _subscribe(self, after: int) -> None:
        await self._say({"type": "subscribe", "workspace": self._workspace, "generation": 1, "after": after})

    async def _say(self, *frames: Json) -> None:
        # Who was shut out meanwhile is found by the reader.
        with contextlib.suppress(ConnectionClosed):
            for frame in frames:
                await self._socket.send(json.dumps(frame))

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self._socket:
                await self._hear(json.loads(text), time.time())
        self.code, self.ended = self._socket.close_code or 1006, time.time()

    async def _hear(self, frame: Json, at: float) -> None:
        match frame.get("type") or frame.get("method"):
            case "hello":
                self.is_in = True
            case "entries":
                for entry in frame["entries"]:
                    if entry["type"] in TOLD:
                        self.heard.setdefault(entry["payload"][TOLD[entry["type"]]], at)
            case "fragments":
                for pk in SAID.findall(frame["html"]):
                    self.heard.setdefault(pk, at)
            case "reset":
                self.resets.append(at)
                # As a page does that has been loaded again.
                await self._subscribe(frame["head"])
            case "error":
                self.errors.append(frame["code"])
            case str() as method if self.kind == "agent":
                self.is_in = True
                self.heard.setdefault(method, at)
                await self._obey(method, frame)

    async def _obey(self, method: str, frame: Json) -> None:
        """What an agent does that works until it is told to stop."""
        answers = {"initialize": {"protocolVersion": 1, "agentCapabilities": {}}, "session/new": {"sessionId": "one"}}
        if method in answers:
            await self._say({"jsonrpc": "2.0", "id": frame["id"], "result": answers[method]})
        elif method == "session/prompt":
            self._asked = frame["id"]
        elif method == "session/cancel":
            await self._say({"jsonrpc": "2.0", "id": self._asked, "result": {"stopReason": "cancelled"}})


async def _connected(address: str, headers: Json) -> ClientConnection:
    """A socket. On a machine that has much else to do a handshake may take too long, and is begun anew."""
    for left in reversed(range(TRIES)):
        try:
            return await connect(address, additional_headers=headers, open_timeout=120, proxy=None)
        except (InvalidMessage, OSError):
            if not left:
                raise
    raise AssertionError


async def come(lines: Sequence[Line], url: Script, workspace: str) -> None:
    """All of them, a few at once."""
    after = url.head(workspace)
    for start in range(0, len(lines), AT_ONCE):
        await asyncio.gather(*(line.open(url, workspace, after) for line in lines[start : start + AT_ONCE]))
    away = [line for line in lines if not line.is_in]
    assert not away, f"not let in: {away[:3]}"


async def go(lines: Iterable[Line]) -> None:
    """Whoever of them is still there leaves."""
    await asyncio.gather(*(line.leave() for line in lines))


def posted(url: Script, session: str, path: str, fields: Mapping[str, Any]) -> None:
    """Send a form of a page, by the browser that has this session."""
    cookies = {COOKIE: session, CSRF: HALF_A_TOKEN}
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "Content-Type": "application/x-www-form-urlencoded",
        "X-CSRFToken": HALF_A_TOKEN,
    }
    connection = HTTPConnection(url.host, url.port, timeout=60)
    try:
        connection.request("POST", path, urlencode(fields), headers)
        answer = connection.getresponse()
        said = answer.read()
        # A form that is shown again says what is wrong with it.
        assert answer.status in (302, 303), (path, answer.status, said[-2000:])
        assert "/accounts/login/" not in (answer.headers["Location"] or ""), path
    finally:
        connection.close()
