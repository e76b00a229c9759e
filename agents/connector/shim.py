"""`clawgroups mcp-shim FILE`: the workspace's tools on stdin and stdout, for agents that take MCP only as a program.

One JSON-RPC message a line. Each goes to the server's `/mcp` as a request of its own, with the key that FILE holds, and
what is answered comes back as a line. It knows just so much of MCP as travels in HTTP headers.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import socket
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from agents.connector import route
from agents.connector.exits import Wrong

if TYPE_CHECKING:
    from agents.connector.console import Console

TIMEOUT = 300.0
PATIENCE = 45.0
"""Seconds that a server which is away is waited for: less than the minute after which most clients give up."""
AT_ONCE = 16
_AGAIN = 0.5
_NOT_NOW = frozenset({429, 503})
_PERHAPS_DONE = frozenset({500, 502, 504})
_VERSION = "MCP-Protocol-Version"
_META_VERSION = "io.modelcontextprotocol/protocolVersion"
_NAMED = frozenset({"tools/call", "prompts/get"})
_INTERNAL, _INVALID = -32603, -32600

Message = dict[str, Any]


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb `mcp-shim`. Agents start it; nobody has to type it."""
    parser = verbs.add_parser("mcp-shim", help="the workspace's tools as a program, for an agent that starts it")
    parser.add_argument("file", type=Path, help="where they are, and the key that opens them")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """Serve until the input ends; 0. Raises Wrong."""
    return serve(options.file)


def serve(path: Path) -> int:
    """Serve standard input and output until the input ends; 0. Raises Wrong."""
    shim = Shim(Endpoint.read(path), sys.stdout.buffer)
    for line in sys.stdin.buffer:
        shim.take(line.strip())
    shim.close()
    return 0


class Unreachable(Exception):
    """The server did not answer; the text says why, `done` whether what was asked may have been done all the same."""

    def __init__(self, text: str, *, done: bool) -> None:
        super().__init__(text)
        self.done = done


@dataclass(frozen=True)
class Endpoint:
    """Where the tools are, and what every request to them carries."""

    url: str
    headers: dict[str, str] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Endpoint:
        """What a file of `tools.Tools` says; how the server is reached goes into our environment. Raises Wrong."""
        try:
            told = json.loads(path.read_text("utf-8"))
            os.environ.update(told["environment"])
            route.trust(Path(told["authorities"]) if told["authorities"] else None)
            return cls(str(told["url"]), dict(told["headers"]))
        except OSError as problem:
            raise Wrong(f"the session that these tools belong to is over ({problem.strerror})") from None
        except (ValueError, KeyError, TypeError):
            raise Wrong(f"{path} does not say where the tools are") from None

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and content of an answer. Raises Unreachable."""
        request = urllib.request.Request(self.url, body, method="POST")  # noqa: S310  (the server's own address)
        for name, value in {**self.headers, **headers}.items():
            request.add_unredirected_header(name, value)
        try:
            with route.opener(self.url).open(request, timeout=TIMEOUT) as answer:
                return int(answer.status), bytes(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()
        except urllib.error.URLError as problem:
            never = isinstance(problem.reason, (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError))
            raise Unreachable(str(problem.reason), done=not never) from None
        except (OSError, http.client.HTTPException) as problem:
            raise Unreachable(str(problem) or type(problem).__name__, done=True) from None


class Shim:
    """Carries messages: `take` each line of the client, and what is answered is written to `out`, a line each."""

    def __init__(self, endpoint: Endpoint, out: IO[bytes], *, patience: float = PATIENCE) -> None:
        self._endpoint = endpoint
        self._out = out
        self._patience = patience
        self._writing = threading.Lock()
        self._room = threading.Semaphore(AT_ONCE)
        self._over = False
        self._agreed = ""
        """The revision of the handshake, once there was one."""

    def take(self, line: bytes) -> None:
        """Have a message answered; returns at once, but for the handshake, and while too many are under way."""
        if not line:
            return
        message = _read(line)
        if message.get("method") == "initialize":
            self._carry(message, line)
            return
        self._room.acquire()
        threading.Thread(target=self._carry_beside, args=(message, line), daemon=True).start()

    def close(self) -> None:
        """The client is gone: no answer is written any more. A thread that was writing at the end would crash it."""
        with self._writing:
            self._over = True

    def _carry_beside(self, message: Message, line: bytes) -> None:
        try:
            self._carry(message, line)
        finally:
            self._room.release()

    def _carry(self, message: Message, line: bytes) -> None:
        try:
            status, body = self._patiently(message, line)
            answer = _answer(message, status, body)
        except Unreachable as problem:
            more = "; it may have been done all the same" if problem.done and message.get("method") in _NAMED else ""
            answer = _error(message, _INTERNAL, f"The workspace did not answer: {problem}{more}.")
        except (ValueError, Wrong) as problem:
            answer = _error(message, _INVALID, f"This cannot be sent: {problem}.")
        result = answer.get("result")
        if message.get("method") == "initialize" and isinstance(result, dict):
            self._agreed = str(result.get("protocolVersion") or "")
        # Only a request is answered; a notification that went wrong is nobody's to hear of.
        if answer and ("id" in message or "method" not in message):
            self._write(json.dumps(answer, separators=(",", ":")).encode())

    def _patiently(self, message: Message, line: bytes) -> tuple[int, bytes]:
        """Ask until there is an answer; again only what surely was not done, or may be done twice."""
        again = message.get("method") not in _NAMED
        give_up, wait = time.monotonic() + self._patience, _AGAIN
        while True:
            try:
                status, body = self._endpoint.post(line, self._headers(message))
            except Unreachable as problem:
                if time.monotonic() + wait > give_up or (problem.done and not again):
                    raise
            else:
                passing = status in _NOT_NOW or (again and status in _PERHAPS_DONE)
                if not passing or time.monotonic() + wait > give_up:
                    return status, body
            time.sleep(wait)
            wait = min(wait * 2, 5.0)

    def _headers(self, message: Message) -> dict[str, str]:
        told = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        method, params = message.get("method"), message.get("params")
        params = params if isinstance(params, dict) else {}
        meta = params.get("_meta")
        version = meta.get(_META_VERSION) if isinstance(meta, dict) else None
        if isinstance(version, str) and isinstance(method, str):
            # A revision without a handshake: each request says everything, in its headers as well.
            told |= {_VERSION: version, "Mcp-Method": method}
            if method in _NAMED and isinstance(params.get("name"), str):
                told["Mcp-Name"] = _as_header(params["name"])
        elif self._agreed:
            told[_VERSION] = self._agreed
        return told

    def _write(self, line: bytes) -> None:
        with self._writing:
            if self._over:
                return
            try:
                self._out.write(line + b"\n")
                self._out.flush()
            except (OSError, ValueError):
                self._over = True  # The client is gone, which the end of the input says as well.


def _read(line: bytes) -> Message:
    """A message as an object; an empty one for whatever the server shall say no to."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _answer(message: Message, status: int, body: bytes) -> Message:
    if not body and status < 300:
        return {}
    answer = _read(body)
    if "result" not in answer and "error" not in answer:
        return _error(message, _INTERNAL, f"The workspace answered {status}.")
    if "error" in answer and answer.get("id") is None:
        # Refused before it was read, so that whose answer this is could not be said.
        answer["id"] = message.get("id")
    return answer


def _error(message: Message, code: int, text: str) -> Message:
    return {"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": code, "message": text}}


def _as_header(value: str) -> str:
    """A value as a header can hold it: what is not plain goes in base64."""
    if value.isascii() and value.isprintable() and value == value.strip() and not value.startswith("=?"):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'replace')).decode()}?="


def main(arguments: Sequence[str]) -> int:
    """`python -m agents.connector.shim FILE`: the same without the rest of the connector, which costs memory."""
    try:
        if len(arguments) != 1:
            raise Wrong("say which file tells where the tools are")
        return serve(Path(arguments[0]))
    except Wrong as wrong:
        sys.stderr.write(f"clawgroups: {wrong}\n")
        return wrong.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
