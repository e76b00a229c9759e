"""One HTTP exchange with a server, in a thread of its own, so that it can be left at any moment.

The only module that knows `openai`, whose import takes a second: only who asks a model imports it.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from agents.llm.base import Endpoint, Fault, FaultKind
from agents.llm.faults import status_fault, stream_fault, without_key
from agents.llm.providers import address

# A server that takes so long to take our request, or to let go of a finished one, is given up by the thread itself.
_WRITE = 30.0
_END = object()
_AT_ONCE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # struct linger: on, for no seconds


class Exchange:
    """A request and the pieces of its answer. `body` None asks by GET. Whoever is done with it calls `leave`."""

    def __init__(self, endpoint: Endpoint, path: str, body: Mapping[str, Any] | None, *, streams: bool = False) -> None:
        self._endpoint, self._path, self._body, self._streams = endpoint, path, body, streams
        self._url = address(endpoint)
        self._pieces: queue.Queue[Any] = queue.Queue()
        self._guard = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._left = False
        threading.Thread(target=self._carry_out, name="model-exchange", daemon=True).start()

    def piece(self, wait: float) -> tuple[bool, Any]:
        """(more to come, a piece or None when none came in so many seconds). Raises Fault."""
        try:
            found = self._pieces.get(timeout=wait)
        except queue.Empty:
            return True, None
        if found is _END:
            return False, None
        if isinstance(found, Exception):
            raise fault_of(self._endpoint, found)
        return True, found

    def leave(self) -> None:
        """Close the connection, whatever it waits for: that is how a server learns to stop."""
        with self._guard:
            self._left = True
            for each in self._sockets:
                _shut(each)

    def _carry_out(self) -> None:
        try:
            with self._client() as client:
                self._read(client)
            self._pieces.put(_END)
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who waits is told
            self._pieces.put(error)

    def _read(self, client: openai.OpenAI) -> None:
        options: Any = {"headers": _headers(self._endpoint)}
        if self._body is None:
            self._pieces.put(client.get(self._path, cast_to=object, options=options))
        elif not self._streams:
            self._pieces.put(client.post(self._path, cast_to=object, body=self._body, options=options))
        else:
            kind = openai.Stream[object]
            stream = client.post(
                self._path, cast_to=object, body=self._body, options=options, stream=True, stream_cls=kind
            )
            for chunk in stream:
                # A socket that was shut gives what still comes as long as something does, so that a server that floods
                # would be heard for ever.
                if self._left:
                    break
                self._pieces.put(chunk)

    def _client(self) -> openai.OpenAI:
        timeouts = self._endpoint.timeouts
        patience = max(timeouts.first, timeouts.between, timeouts.total) + 5.0
        http = httpx2.Client(
            verify=_tls(),
            timeout=httpx2.Timeout(patience, connect=timeouts.connect, write=_WRITE),
            follow_redirects=False,
            event_hooks={"request": [self._watch]},
        )
        return openai.OpenAI(
            api_key=self._endpoint.key or "none",
            base_url=self._url,
            max_retries=0,
            http_client=http,
        )

    def _watch(self, request: httpx2.Request) -> None:
        request.extensions["trace"] = self._note_socket

    def _note_socket(self, event: str, info: Mapping[str, Any]) -> None:
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        found = info["return_value"].get_extra_info("socket")
        with self._guard:
            self._sockets.append(found)
            if self._left:
                _shut(found)


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


def _headers(endpoint: Endpoint) -> dict[str, Any]:
    """Nothing of OpenAI's own environment goes to other servers, and no key where there is none."""
    nothing = openai.Omit()
    said = {"OpenAI-Organization": nothing, "OpenAI-Project": nothing}
    return said if endpoint.key else {**said, "Authorization": nothing}


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # As it is closed the server is told by a reset: one that waits for room to write does not see that we left,
        # and would wait for a minute more.
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        # `close` alone would not wake the thread that reads from it.
        each.shutdown(socket.SHUT_RDWR)


def fault_of(endpoint: Endpoint, error: Exception) -> Fault:
    """What an error of the exchange means."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, openai.APIStatusError):
        return status_fault(endpoint, error.status_code, error.body, error.response.headers)
    if isinstance(error, openai.APITimeoutError):
        connecting = "Connect" in type(error.__cause__).__name__
        kind = FaultKind.UNREACHABLE if connecting else FaultKind.SLOW
        return Fault(kind, "The server did not take the connection in time." if connecting else "The server is slow.")
    if isinstance(error, openai.APIConnectionError):
        return Fault(FaultKind.UNREACHABLE, _unreachable(endpoint, error.__cause__))
    if isinstance(error, openai.APIError):
        return stream_fault(endpoint, error.body or {"message": error.message})
    if isinstance(error, ValueError | RecursionError):
        return Fault(FaultKind.MALFORMED, "The server answered with something that is no JSON.")
    return Fault(FaultKind.UNREACHABLE, f"The server could not be asked ({type(error).__name__}).")


def _unreachable(endpoint: Endpoint, cause: BaseException | None) -> str:
    words = without_key(endpoint, str(cause or ""))[:200]
    if type(cause).__name__ in ("ConnectError", "ConnectTimeout", "gaierror"):
        return f"The server cannot be reached: {words}"
    return "The connection broke off" + (f": {words}" if words else ".")
