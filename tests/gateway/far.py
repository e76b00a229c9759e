"""An agent that serves the remote transport on this machine, for those who dial it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import http
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from agents.models import Agent, Dial
from clawgroups.gateway.dialler import Dialler
from clawgroups.services import dials
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import until_row

Frame = dict[str, Any]
T = TypeVar("T")
Make = Callable[..., Dialler]
PATIENCE = 60.0
NAME = "agent.test"


@dataclass
class Line:
    """One connection as the agent's host sees it."""

    socket: ServerConnection
    headers: Headers
    heard: list[Frame] = field(default_factory=list)
    closed: tuple[int, str] | None = None

    async def say(self, frame: Frame) -> None:
        await self.socket.send(json.dumps({"jsonrpc": "2.0", **frame}))

    async def chunk(self, session: str, text: str) -> None:
        update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
        await self.say({"method": "session/update", "params": {"sessionId": session, "update": update}})


@dataclass
class Host:
    """The server. `status` refuses the next upgrades; `answering` says what to the requests."""

    status: int = 0
    more: dict[str, str] = field(default_factory=dict)
    answering: bool = True
    protocol: int = 1
    port: int = 0
    knocks: list[Request] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    server: Server | None = None
    tls: ssl.SSLContext | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://{NAME}:{self.port}/acp"

    async def open(self) -> Host:
        self.server = await serve(
            self._carry, "127.0.0.1", self.port, process_request=self._knock, process_response=self._name, ssl=self.tls
        )
        self.port = next(iter(self.server.sockets)).getsockname()[1]
        return self

    async def shut(self) -> None:
        assert self.server is not None
        self.server.close()
        await self.server.wait_closed()

    def _knock(self, connection: ServerConnection, request: Request) -> Response | None:
        self.knocks.append(request)
        self._changed.set()
        if not self.status:
            return None
        answer = connection.respond(http.HTTPStatus(self.status), "no\n")
        for name, value in self.more.items():
            answer.headers[name] = value
        return answer

    def _name(self, _connection: ServerConnection, _request: Request, response: Response) -> Response:
        response.headers["Acp-Connection-Id"] = f"far-{len(self.knocks)}"
        response.headers["Set-Cookie"] = "machine=seven; Path=/; HttpOnly"
        return response

    async def _carry(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        line = Line(socket, socket.request.headers)
        self.lines.append(line)
        self._changed.set()
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                line.heard.append(json.loads(message))
                await self._react(line, line.heard[-1])
                self._changed.set()
        line.closed = (socket.close_code or 1006, socket.close_reason or "")
        self._changed.set()

    async def _react(self, line: Line, frame: Frame) -> None:
        if not self.answering:
            return
        if frame.get("method") == "initialize":
            info = {"protocolVersion": self.protocol, "agentInfo": {"name": "far"}}
            await line.say({"id": frame["id"], "result": info})
        elif frame.get("method") == "session/new":
            await line.say({"id": frame["id"], "result": {"sessionId": f"far-{len(self.lines)}"}})

    async def until(self, condition: Callable[[], T]) -> T:
        async with asyncio.timeout(PATIENCE):
            while not (found := condition()):
                self._changed.clear()
                await self._changed.wait()
            return found

    async def line(self, number: int = 1) -> Line:
        """The `number`th connection, once it is there."""
        return (await self.until(lambda: self.lines[number - 1 : number]))[0]

    async def asked(self, method: str, line: int = 1) -> Frame:
        """The first frame of this method on a connection."""
        there = await self.line(line)
        return (await self.until(lambda: [f for f in there.heard if f.get("method") == method]))[0]

    async def closed(self, line: int = 1) -> tuple[int, str]:
        there = await self.line(line)
        closed = await self.until(lambda: there.closed)
        assert closed is not None
        return closed


@contextlib.asynccontextmanager
async def hosted(**how: Any) -> AsyncIterator[Host]:
    """A host that is there until the end of the block."""
    host = await Host(**how).open()
    try:
        yield host
    finally:
        await host.shut()


def certified(folder: Path, name: str = NAME) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for this name, and the file of the authority that vouches for it."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, secret)
    return context, chain


class Names:
    """A name server: each answer once, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = [*answers] or [["127.0.0.1"]], 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def give(team: Team, host: Host, *, secret: str | None = "s3cret", address: str = "") -> Agent:
    """Scribe's address is this host."""
    ada = await read_async(team.actor, "ada")
    scribe = team.agents["scribe"]
    await perform_async(dials.set_dial, scribe.pk, address=address or host.address, secret=secret, actor=ada)
    return scribe


async def dial_is(agent: Agent, *states: str) -> Dial:
    return await until_row(lambda: Dial.objects.get(pk=agent.pk), lambda row: row.state in states)
