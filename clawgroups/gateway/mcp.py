"""`/mcp`: the workspace's tools for agents, over MCP's streamable HTTP, opened by a session's own key.

A bare ASGI application beside Django. Every POST is answered by itself, so that any process may answer any of them
and nothing is kept between two; there is no stream to open, and no OAuth to begin.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import mcp_types
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from clawgroups import draining
from clawgroups.auth import credential_of_bearer
from clawgroups.commit.faults import outage
from clawgroups.core.errors import Busy, ClawError, Conflict, TooLarge, Unauthenticated
from clawgroups.gateway.board import Caller
from clawgroups.gateway.mcp_rpc import Json, Reply, exchange
from clawgroups.gateway.toolbox import call, failed
from clawgroups.services.perform import perform_tool, read_tool
from clawgroups.services.reports import tools_used

log = logging.getLogger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

PATH = "/mcp"
MAX_BODY = 4 * 1024 * 1024
PER_SECOND = 5.0  # calls of one session, on average
BURST = 60.0  # calls that may come at once
PATIENCE = 120.0  # calls beyond those that are told to wait; then requests are refused unread
AT_ONCE = 16  # calls of one session under way
REMEMBERED = 10_000  # sessions whose pace is known
TOO_FAST = "Too many calls at once or in a short time. Wait some seconds, then go on more slowly."


class Refusal(Exception):
    """A request that is not even read as MCP."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


@dataclass(slots=True)
class Pace:
    """How many calls a session may still make now, and how many are under way."""

    left: float
    at: float
    under_way: int = 0


class Paces:
    """The pace of each session in this process."""

    def __init__(self) -> None:
        self._paces: OrderedDict[UUID, Pace] = OrderedDict()

    @contextlib.contextmanager
    def counted(self, session_id: UUID) -> Iterator[bool]:
        """Count a request while it is under way: whether it comes in time. Raises `Refusal` for a flood."""
        now = time.monotonic()
        pace = self._paces.pop(session_id, None) or Pace(BURST, now)
        self._paces[session_id] = pace
        while len(self._paces) > REMEMBERED:
            self._paces.popitem(last=False)
        pace.left, pace.at = min(BURST, pace.left + (now - pace.at) * PER_SECOND), now
        if pace.left <= -PATIENCE or pace.under_way >= 2 * AT_ONCE:
            raise Refusal(429, "rate_limited", TOO_FAST, (("Retry-After", "10"),))
        pace.left -= 1
        pace.under_way += 1
        try:
            yield pace.left >= 0 and pace.under_way <= AT_ONCE
        finally:
            pace.under_way -= 1


_paces = Paces()
# Sessions that are known to have used the tools: asked of no row again.
_known: OrderedDict[UUID, None] = OrderedDict()


def beside(pages: Application) -> Application:
    """An application that answers `/mcp` itself and leaves everything else to `pages`."""

    async def either(scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"].rstrip("/") == PATH:
            await tools_endpoint(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return either


async def tools_endpoint(scope: Message, receive: Receive, send: Send) -> None:
    """Serve one HTTP request."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        _check(scope["method"], headers)
        caller = await _admit(headers.get("authorization"))
        with _paces.counted(caller.session_id) as in_time:
            body = await _body(headers, receive)
            if body is None:
                return
            reply = await exchange(headers, body, _calls(caller, in_time))
    except Refusal as refusal:
        await _refuse(refusal, send)
        return
    await _send(reply, send)


def _check(method: str, headers: dict[str, str]) -> None:
    """What can be said of a request before anybody is asked. Raises `Refusal`."""
    if method != "POST":
        raise Refusal(405, "method_not_allowed", "Every message is a POST; there is no stream.", (("Allow", "POST"),))
    domain, _ = split_domain_port(headers.get("host", ""))
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        raise Refusal(421, "wrong_host", "This server does not answer for that host.")
    if "origin" in headers and headers["origin"] not in settings.ORIGINS:
        raise Refusal(403, "wrong_origin", "No page of another origin may use these tools.")
    if draining.is_draining():
        raise Refusal(503, "busy", "The server restarts. Try again in a moment.", (("Retry-After", "5"),))


async def _admit(authorization: str | None) -> Caller:
    """Whom the key stands for. Raises `Refusal`, with the same words for wrong and unknown keys."""
    try:
        credential = await read_tool(credential_of_bearer, authorization)
        if credential.session_id is None:
            raise Unauthenticated("These tools take the key of a session, as it is sent when one is opened.")
        caller = Caller(credential.actor, credential.session_id)
        await _note_use(caller)
    except ClawError as fault:
        raise _refusal_of(fault) from None
    except Exception as fault:
        away = outage(fault)
        if away is None:
            raise
        raise _refusal_of(away) from None
    return caller


def _refusal_of(fault: ClawError) -> Refusal:
    more: tuple[tuple[str, str], ...] = ()
    if isinstance(fault, Unauthenticated):
        more = (("WWW-Authenticate", "Bearer"),)
    elif isinstance(fault, Busy):
        more = (("Retry-After", "1"),)
    return Refusal(fault.status, fault.code, fault.message, more)


async def _note_use(caller: Caller) -> None:
    """Say, once, that this session's agent uses the tools."""
    if caller.session_id in _known:
        return
    with contextlib.suppress(Conflict):  # it was said before
        await perform_tool(tools_used, caller.session_id, actor=caller.actor)
    _known[caller.session_id] = None
    while len(_known) > REMEMBERED:
        _known.popitem(last=False)


async def _body(headers: dict[str, str], receive: Receive) -> bytes | None:
    """What was sent, bounded; None when the peer has gone meanwhile. Raises `Refusal`."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "wrong_type", "Send JSON: Content-Type: application/json.")
    if not _takes_json(headers.get("accept", "*/*")):
        raise Refusal(406, "not_acceptable", "Answers are application/json; accept them.")
    said = headers.get("content-length", "0")
    if said.isdigit() and int(said) > MAX_BODY:
        raise _too_large()
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MAX_BODY:
            raise _too_large()
        more = message.get("more_body", False)
    return b"".join(pieces)


def _takes_json(accept: str) -> bool:
    kinds = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    return bool(kinds & {"application/json", "application/*", "*/*"})


def _too_large() -> Refusal:
    limit = f"At most {MAX_BODY // (1024 * 1024)} MB can be sent here; deliver larger files by their own address."
    return Refusal(TooLarge.status, TooLarge.code, limit)


def _calls(caller: Caller, in_time: bool) -> Callable[[str, Json], Awaitable[mcp_types.CallToolResult | None]]:
    async def run(name: str, arguments: Json) -> mcp_types.CallToolResult | None:
        if not in_time:
            return failed("rate_limited", TOO_FAST, {"retry_after": 10})
        return await call(name, arguments, caller)

    return run


async def _refuse(refusal: Refusal, send: Send) -> None:
    error = {"code": -32000, "message": refusal.message, "data": {"code": refusal.code}}
    await _send(Reply(refusal.status, {"jsonrpc": "2.0", "id": None, "error": error}), send, refusal.headers)


async def _send(reply: Reply, send: Send, more: tuple[tuple[str, str], ...] = ()) -> None:
    body = b"" if reply.body is None else json.dumps(reply.body, ensure_ascii=False).encode("utf-8", "replace")
    headers = [("Cache-Control", "no-store"), ("Content-Length", str(len(body))), *more]
    if body:
        headers.append(("Content-Type", "application/json"))
    said = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": said})
    await send({"type": "http.response.body", "body": body})
