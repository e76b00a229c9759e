"""The socket to the server: its address, how it is opened, what travels on it and how it ends."""

from __future__ import annotations

import asyncio
import platform
import urllib.parse
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException

from agents.connector import __version__, faults, route
from agents.connector.glance import frame_of
from agents.connector.spool import Gathering, Line
from agents.protocol import version

Frame = dict[str, Any]
CLOSING = 3.0
"""Seconds after which a connection is closed without the other end's help."""
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_WORDS = {version.CLOSE_DRAINING: "the server restarts"}
_WORDS_WITH_REASON = {
    version.CLOSE_FLOOD: "the agent sent too much at once",
    version.CLOSE_UNRESPONSIVE: "the server has waited in vain",
}


class BadAddress(ValueError):
    """An address that cannot be one of a server; the text says why."""


class Refused(Exception):
    """The server does not want this key; trying again would not help. `for_good`: nor would another key."""

    def __init__(self, text: str, *, for_good: bool = False) -> None:
        super().__init__(text)
        self.for_good = for_good


class Replaced(Exception):
    """Another connection with the same key has taken our place."""


class Lost(Exception):
    """The connection is gone, for a passing reason; `waited`: because the agent did not answer."""

    def __init__(self, text: str, *, waited: bool = False) -> None:
        super().__init__(text)
        self.waited = waited


class Elsewhere(Lost):
    """Something answers at this address, and it is not the server that was meant, or cannot be trusted to be."""


def socket_address(url: str) -> str:
    """The WebSocket address for a server's address; raises BadAddress."""
    try:
        parts = urllib.parse.urlsplit(url if "://" in url else f"https://{url}")
        usable = parts.scheme in _SCHEMES and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise BadAddress(f"{url} is not an address like https://host")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise BadAddress("an address has no key, name or question mark in it; the key goes elsewhere")
    path = parts.path.rstrip("/").removesuffix(version.PATH)
    return urllib.parse.urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path + version.PATH, "", ""))


def web_address(address: str, path: str = "") -> str:
    """The web address on the server whose socket is at `address` (`socket_address`)."""
    parts = urllib.parse.urlsplit(address)
    scheme = {"ws": "http", "wss": "https"}[parts.scheme]
    return urllib.parse.urlunsplit((scheme, parts.netloc, parts.path.removesuffix(version.PATH) + path, "", ""))


def is_local(address: str) -> bool:
    """Whether an address is on this machine: no proxy then, and no worry about encryption."""
    return urllib.parse.urlsplit(address).hostname in route.LOOPBACK


def headers(key: str, link_id: str, name: str, extensions: Sequence[str] = version.EXTENSIONS) -> dict[str, str]:
    """What the server is told at the upgrade."""
    told = {
        "Authorization": f"Bearer {key}",
        version.HEADER_CONNECTOR: __version__,
        version.HEADER_LINK: link_id,
        version.HEADER_OS: f"{platform.system()} {platform.release()}",
        version.HEADER_EXTENSIONS: ",".join(extensions),
    }
    if name:
        told[version.HEADER_NAME] = urllib.parse.quote(name)
    return told


class _Dial(connect):
    """A redirect would hand the key to whoever is named in it; the person is told the address instead."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@asynccontextmanager
async def dial(address: str, told: dict[str, str]) -> AsyncIterator[ClientConnection]:
    """An open connection; whatever ends it, also within the block, is raised as Refused, Replaced or Lost."""
    opening = _Dial(
        address,
        additional_headers=told,
        max_size=version.MAX_FRAME,
        compression=None,
        proxy=route.proxy(address),
        ssl=route.context() if address.startswith("wss:") else None,
        open_timeout=20,
        close_timeout=CLOSING,
        ping_interval=None,  # see `waking`
    )
    try:
        connection = await opening
        try:
            yield connection
        finally:
            await hang_up(connection)
    except InvalidStatus as refused:
        raise _status(refused, address) from None
    except ConnectionClosed as closed:
        raise _closed(closed) from None
    except InvalidMessage as problem:
        # A server that is stopped in the middle of the greeting says nothing; another kind of server says something.
        if isinstance(problem.__cause__, EOFError):
            raise Lost("the server broke off in the middle of the greeting") from None
        raise Elsewhere(
            f"{faults.place(address)} answers, but not as a Claw Groups server: check the address and its port"
        ) from None
    except (OSError, TimeoutError, WebSocketException) as problem:
        fault = faults.explain(problem, address)
        raise (Elsewhere if fault.elsewhere else Lost)(fault.text) from None


async def hang_up(connection: ClientConnection) -> None:
    """Close it: in good order, or by force where nothing of that is read, which would be waited for without end."""
    try:
        async with asyncio.timeout(CLOSING):
            await connection.close(version.CLOSE_NORMAL)
    except TimeoutError:
        connection.transport.abort()
        await connection.wait_closed()


def _status(refused: InvalidStatus, address: str) -> Exception:
    status, location = refused.response.status_code, refused.response.headers.get("Location")
    behind = urllib.parse.urlsplit(address).path.removesuffix(version.PATH)
    if behind and status in (401, 403, 404):
        # Most likely the address of a page; ours answers 403 where there is no socket.
        shorter = web_address(address).removesuffix(behind)
        return Elsewhere(f"the server answered {status} at {web_address(address)}: {faults.NOT_OURS}, maybe {shorter}")
    if status in (401, 403):
        return Refused(f"it answered {status}.")
    fault = faults.answered(status, location)
    return Elsewhere(fault.text) if fault.elsewhere else Lost(fault.text)


def _closed(closed: ConnectionClosed) -> Exception:
    code = None if closed.rcvd is None else closed.rcvd.code
    if code in (version.CLOSE_REFUSED, version.CLOSE_FORBIDDEN):
        return Refused(sentence(closed.rcvd.reason if closed.rcvd is not None else ""))
    if code == version.CLOSE_REPLACED:
        return Replaced()
    if code in _WORDS_WITH_REASON and closed.rcvd is not None:
        text = f"{_WORDS_WITH_REASON[code]}: {sentence(closed.rcvd.reason).rstrip('.')}"
        return Lost(text, waited=code == version.CLOSE_UNRESPONSIVE)
    return Lost(_WORDS.get(code or 0, "connection lost"))


async def receive(connection: ClientConnection) -> Line:
    """The next message, as one line. Not to be cancelled while the connection is still to be used."""
    gathering = Gathering()
    async for part in connection.recv_streaming(decode=False):
        # In JSON a line break is a blank like others; an agent takes it for the end.
        gathering.add(part.replace(b"\n", b" "))
        del part
    return gathering.take()


def read(message: Line) -> tuple[Frame, Line]:
    """A message as an object and as it came; an empty object for anything that is no JSON-RPC.

    Of a long prompt, or answer, long texts are empty (`glance.frame_of`).
    """
    try:
        frame = frame_of(message, (version.SESSION_PROMPT,))
    except (ValueError, RecursionError, OSError):
        return {}, b""
    return (frame, message) if isinstance(frame, dict) else ({}, b"")


def extension(frame: Frame) -> tuple[str, Frame] | None:
    """The method and parameters of a frame that is between server and connector, None for all others."""
    method, params = frame.get("method"), frame.get("params")
    if not isinstance(method, str) or not method.startswith(version.EXTENSION_PREFIX):
        return None
    return method, params if isinstance(params, dict) else {}


def refusal(params: Frame) -> Refused:
    """What the server said when it refused us."""
    text = sentence(str(params.get("message") or params.get("code") or ""))
    return Refused(text, for_good=params.get("code") == version.RETIRED)


def sentence(text: str) -> str:
    """The same with a full stop, and with something to say when there is nothing."""
    text = text.strip() or "it gave no reason"
    return text if text[-1] in ".!?" else f"{text}."
