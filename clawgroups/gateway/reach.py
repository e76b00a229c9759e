"""How an agent is reached at its address: resolved once, judged, and connected to what was judged.

No proxy and no redirect: either would lead somewhere else than what was judged.
"""

from __future__ import annotations

import asyncio
import http.cookies
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.http11 import Response

from agents.connector import __version__
from agents.protocol import version
from clawgroups.core.addresses import DialAddress, refusal
from clawgroups.core.shrinking import shrunk_text

RESOLVE = 10.0  # seconds
OPEN = 15.0  # seconds for one machine, with TLS and the upgrade
CLOSE = 3.0
MACHINES = 4  # that one name is tried at
QUEUE = 4  # frames that are read ahead; each may be as large as a frame may be
LATER = frozenset({408, 425, 429, *range(500, 600)})
LONGEST_WAIT = 300.0
MAX_COOKIES, MAX_COOKIE = 20, 4096

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
# A name server that does not answer holds a thread of these, and nobody else's.
_threads = ThreadPoolExecutor(4, thread_name_prefix="names")


class Unreached(Exception):
    """Nobody was reached: what its owner is told, whether trying again would help, and when to."""

    def __init__(self, said: str, *, final: bool = False, after: float | None = None) -> None:
        super().__init__(said)
        self.said, self.final, self.after = said, final, after


class Jar:
    """The cookies of one address: what keeps us at the same machine behind it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._kept: dict[str, str] = {}

    def take(self, headers: Iterable[str]) -> None:
        """Keep what these `Set-Cookie` headers say; what cannot be read is left out."""
        for header in headers:
            found: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
            try:
                found.load(header)
            except http.cookies.CookieError:
                continue
            for name, morsel in found.items():
                self._kept.pop(name, None)
                fits = len(self._kept) < MAX_COOKIES and len(name) + len(morsel.coded_value) <= MAX_COOKIE
                if fits and not _is_over(morsel):
                    self._kept[name] = morsel.coded_value

    @property
    def header(self) -> str:
        """What goes into `Cookie`."""
        return "; ".join(f"{name}={value}" for name, value in self._kept.items())


def _is_over(morsel: http.cookies.Morsel[str]) -> bool:
    if age := morsel["max-age"]:
        return not age.isdigit() or not age.strip("0")
    try:
        until = parsedate_to_datetime(morsel["expires"]) if morsel["expires"] else None
    except (ValueError, TypeError, OverflowError):
        return False
    return until is not None and until.replace(tzinfo=until.tzinfo or UTC) <= datetime.now(UTC)


class _Dial(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order in which they are to be tried. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def reach(
    address: DialAddress, *, secret: str, jar: Jar, private: bool, resolve: Resolve = resolve
) -> ClientConnection:
    """An open WebSocket to the agent at this address. Raises `Unreached`."""
    machines = await _machines(address, private, resolve)
    problem: Unreached | None = None
    for ip in machines[:MACHINES]:
        try:
            connection = await _connect(address, ip, secret, jar)
        except InvalidStatus as answered:
            raise _refused(answered.response) from None
        except (OSError, TimeoutError, EOFError, WebSocketException) as failed:
            problem = problem or Unreached(_words(failed))
            continue
        if connection.response is not None:
            jar.take(connection.response.headers.get_all("Set-Cookie"))
        return connection
    raise problem or Unreached("Its name leads nowhere.")


async def _machines(address: DialAddress, private: bool, resolve: Resolve) -> Sequence[str]:
    try:
        async with asyncio.timeout(RESOLVE):
            machines = await resolve(address.host, address.port)
    except TimeoutError:
        raise Unreached(f"No name server says where {address.host} is.") from None
    except (OSError, UnicodeError) as problem:
        raise Unreached(f"The name {address.host} is not known ({problem}).") from None
    # One that leads outside and inside is somebody's trick, or a mistake.
    for ip in machines:
        if why := refusal(ip, private=private):
            raise Unreached(f"{address.host} is not dialled: {why}.", final=True)
    return machines


async def _connect(address: DialAddress, ip: str, secret: str, jar: Jar) -> ClientConnection:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    if jar.header:
        headers["Cookie"] = jar.header
    secured: dict[str, Any] = {}
    if address.encrypted:
        secured = {"ssl": ssl.create_default_context(), "server_hostname": address.host}
    return await _Dial(
        str(address),
        host=ip,
        port=address.port,
        proxy=None,
        additional_headers=headers,
        user_agent_header=f"clawgroups/{__version__}",
        compression=None,
        max_size=version.MAX_FRAME,
        max_queue=QUEUE,
        open_timeout=OPEN,
        close_timeout=CLOSE,
        # Ours only: theirs would count the time in which we rest (`Dialled`).
        ping_interval=None,
        **secured,
    )


def _refused(response: Response) -> Unreached:
    status = response.status_code
    if status in (401, 403):
        return Unreached(f"It refused us: {status}. Correct its key, then try again.", final=True)
    if status in (404, 410):
        return Unreached(f"There is no agent at this address: {status}. Correct it, then try again.", final=True)
    if 300 <= status < 400:
        where = shrunk_text(response.headers.get("Location", ""), 120)
        return Unreached(f"It sends us on to “{where}” ({status}). We follow nobody: correct the address.", final=True)
    if status not in LATER:
        return Unreached(f"It answered {status}; no agent's WebSocket is at this address.", final=True)
    wait = response.headers.get("Retry-After", "")
    after = min(float(wait), LONGEST_WAIT) if wait.isascii() and wait.isdigit() else None
    return Unreached(f"It is out of order: it answered {status}.", after=after)


def _words(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"Its certificate is not to be trusted: {problem.verify_message}."
    if isinstance(problem, TimeoutError):
        return "It did not answer in time."
    if isinstance(problem, ssl.SSLError):
        return f"No encrypted connection came about: {problem.reason or 'it speaks no TLS'}."
    if isinstance(problem, WebSocketException):
        return "What answers there speaks no WebSocket."
    return f"No connection: {getattr(problem, 'strerror', None) or type(problem).__name__}."
