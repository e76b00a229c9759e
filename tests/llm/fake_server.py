"""A small model server on loopback that speaks chat completions as each provider does, and misbehaves when told.

In a test: `with FakeServer("sglang", answers=[...]) as server: ... server.url, server.asked`.
As a program: `python -m tests.llm.fake_server --port 31000 --answer answer.json`.

Its switches are also on the wire: `POST /behave {"mode": "hang", "times": 2}`, `POST /answers ["...", {...}]`,
`GET /asked`. The last scripted answer is given again and again.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.llm.example import example_of
from tests.llm.flavours import Answer, completion, counted, error, models, refusal, stream, usage

Said = Answer | Mapping[str, Any] | str | None
Answers = Iterable[Said] | Callable[[dict[str, Any]], Said]

# What each mode answers instead of an answer: status, kind, words.
ERRORS: dict[str, tuple[int, str, str]] = {
    "500": (500, "internal_error", "Internal server error"),
    "503": (503, "service_unavailable", "The server is starting"),
    "429": (429, "rate_limit_reached_error", "Too many requests, please try again later"),
    "quota": (429, "exceeded_current_quota_error", "You exceeded your current quota: insufficient balance"),
    "401": (401, "invalid_authentication_error", "Invalid Authentication"),
    "403": (403, "permission_denied_error", "This key may not do that"),
    "400": (400, "invalid_request_error", "Invalid request: the field is unknown"),
    "404": (404, "resource_not_found_error", "Not found the model or Permission denied"),
    "schema_refused": (400, "invalid_request_error", "response_format of type json_schema is not supported"),
    "too_long": (400, "invalid_request_error", "Your request exceeded model token limit: 262144"),
}


@dataclass
class Behaviour:
    """How the next requests are treated, `times` of them (0: until told otherwise); then `ok` again.

    Modes: ok; the keys of ERRORS; hang (nothing at all); stall (hangs after `after` pieces); slow (`seconds` between
    pieces); cut (the connection ends after `after` pieces); unended (the stream ends without its end); empty (an answer
    without content); deaf (empty only as a stream); html (a proxy's 502 page); garbage (200 that is no JSON);
    failing (an error inside the stream); moved (a redirect).
    """

    mode: str = "ok"
    times: int = 0
    seconds: float = 0.05
    after: int = 2
    retry_after: str = ""


@dataclass
class Asked:
    """One request for a completion as it came, headers in small letters. `left`: the client closed before the end."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float
    left: bool = False
    done: bool = False


class FakeServer:
    """Answers from a list or a function of the body. `kill` drops what is open and refuses what comes; then `start`."""

    def __init__(
        self,
        flavour: str = "sglang",
        answers: Answers = (),
        *,
        port: int = 0,
        key: str = "",
        model: str = "kimi-k2.6",
        context: int = 262_144,
        piece: int = 12,
        sees: bool = True,
    ) -> None:
        self.flavour, self.key, self.model, self.context, self.piece = flavour, key, model, context, piece
        self.sees = sees
        self.asked: list[Asked] = []
        self.behaviour = Behaviour()
        self.port = port
        self.open_connections: set[socket.socket] = set()
        self.changed = threading.Condition()
        self.ended = threading.Event()
        self._prompts: list[str] = []
        self._http: ThreadingHTTPServer | None = None
        self.answer_with(answers)

    @property
    def url(self) -> str:
        """What an endpoint's `url` is."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> Self:
        self.ended.clear()
        handler = type("Handler", (_Handler,), {"fake": self})
        self._http = _Http(("127.0.0.1", self.port), handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True, name="fake-model").start()
        return self

    def kill(self) -> None:
        """As a killed process: nothing listens, and what was open breaks off."""
        self.ended.set()
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
        for connection in list(self.open_connections):
            _break_off(connection)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def behave(self, mode: str = "ok", **options: Any) -> None:
        """From now on; see `Behaviour`."""
        self.behaviour = Behaviour(mode, **options)

    def answer_with(self, answers: Answers) -> None:
        """A function of the request's body, or a list whose last one is repeated; an empty one: something that fits."""
        self._answer = answers if callable(answers) else None
        self._list = [] if callable(answers) else list(answers)

    def wait_until(self, holds: Callable[[], bool], seconds: float = 30.0) -> None:
        """Until it holds, looked at whenever a request comes or ends."""
        with self.changed:
            assert self.changed.wait_for(holds, seconds), "it never came to that"

    # -- what the handlers use --

    def note(self, asked: Asked, **changes: bool) -> None:
        with self.changed:
            if not changes:
                self.asked.append(asked)
            for name, value in changes.items():
                setattr(asked, name, value)
            self.changed.notify_all()

    def next_behaviour(self) -> Behaviour:
        with self.changed:
            now = self.behaviour
            if now.times:
                now.times -= 1
                if not now.times:
                    self.behaviour = Behaviour()
            return now

    def next_answer(self, body: dict[str, Any]) -> Answer:
        if self._answer is not None:
            return Answer.of(self._answer(body))
        with self.changed:
            if self._list:
                return Answer.of(self._list.pop(0) if len(self._list) > 1 else self._list[0])
        return example_of(body)

    def used(self, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        """Usage, with what the prompt has in common with an earlier one as cached."""
        prompt = json.dumps([body.get("tools"), body["messages"]])
        with self.changed:
            cached = max((_common(prompt, earlier) for earlier in self._prompts), default=0)
            self._prompts = [*self._prompts[-15:], prompt]
        return usage(self.flavour, counted(prompt, cached, answer))


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no news."""


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.fake.open_connections.add(self.connection)

    def finish(self) -> None:
        self.fake.open_connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("/models"):
            if self._gate():
                self._json(200, models(self.fake.flavour, self.fake.model, self.fake.context))
        elif path == "/asked":
            self._json(200, [asdict(asked) for asked in self.fake.asked])
        else:
            self._json(200 if path == "/health" else 404, {})

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        path = urlsplit(self.path).path
        if path == "/behave":
            self.fake.behave(**said)
            self._json(200, {})
        elif path == "/answers":
            self.fake.answer_with(said)
            self._json(200, {})
        elif path.endswith("/chat/completions"):
            self._complete(said)
        else:
            self._json(404, {"detail": "Not Found"})

    def _complete(self, body: dict[str, Any]) -> None:
        asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body, time.monotonic())
        self.fake.note(asked)
        now = self.fake.next_behaviour()
        try:
            if self._gate() and self._well(now, asked):
                self._give(now, asked)
            self.fake.note(asked, done=True)
        except (OSError, ConnectionError):
            self.fake.note(asked, left=True)

    def _gate(self) -> bool:
        key = self.fake.key
        if key and self.headers.get("Authorization") != f"Bearer {key}":
            self._error(401, "invalid_authentication_error", "Invalid Authentication")
            return False
        return True

    def _well(self, now: Behaviour, asked: Asked) -> bool:
        """Whether it comes to an answer; all else is done here."""
        if now.mode in ERRORS:
            status, kind, words = ERRORS[now.mode]
            self._error(status, kind, words, {"Retry-After": now.retry_after} if now.retry_after else {})
        elif now.mode == "html":
            page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
            self._send(502, page, "text/html")
        elif now.mode == "garbage":
            self._send(200, b"upstream said something else", "application/json")
        elif now.mode == "moved":
            self._send(307, b"", "text/plain", {"Location": "http://127.0.0.1:9/v1/chat/completions"})
        elif now.mode == "hang":
            self._hang()
        elif said := refusal(self.fake.flavour, asked.body, self.fake.context, sees=self.fake.sees):
            self._error(400, "invalid_request_error", said)
        else:
            return True
        return False

    def _give(self, now: Behaviour, asked: Asked) -> None:
        streams = bool(asked.body.get("stream"))
        answer = self.fake.next_answer(asked.body)
        if now.mode == "empty" or (now.mode == "deaf" and streams):
            answer = Answer(text="" if streams else None)
        used = dict(answer.usage) if answer.usage is not None else self.fake.used(asked.body, answer)
        if streams:
            lines = answer.events
            if lines is None:
                lines = list(stream(self.fake.flavour, answer, asked.body, used, piece=self.fake.piece))
            self._stream(lines, now)
        else:
            if now.mode in ("slow", "stall"):
                self._hang(now.seconds if now.mode == "slow" else None)
            raw = completion(self.fake.flavour, answer, asked.body, used) if answer.raw is None else answer.raw
            self._json(200, raw)

    def _stream(self, lines: Iterable[str], now: Behaviour) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for number, line in enumerate(lines):
            if number >= now.after and now.mode in ("cut", "stall", "failing", "unended"):
                if not self._break_stream(now.mode):
                    return
                break
            if now.mode == "slow":
                self._hang(now.seconds)
            self._chunk(line)
        self.wfile.write(b"0\r\n\r\n")

    def _break_stream(self, mode: str) -> bool:
        """Whether the stream is closed properly after it."""
        if mode == "cut":
            _break_off(self.connection)
            return False
        if mode == "stall":
            self._hang()
        if mode == "failing":
            said = {"error": {"message": "the upstream provider failed", "code": 502}, "choices": []}
            self._chunk("data: " + json.dumps(said))
        return True

    def _chunk(self, line: str) -> None:
        data = (line + "\n\n").encode("utf-8", "surrogatepass")
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _hang(self, seconds: float | None = None) -> None:
        """Say nothing for so long (none: for ever), and notice when the client goes."""
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            left = 0.02 if until is None else min(0.02, max(0.0, until - time.monotonic()))
            if select.select([self.connection], [], [], left)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionResetError("the client has left")
            if self.fake.ended.is_set():
                raise ConnectionAbortedError("the server ends")

    def _error(self, status: int, kind: str, words: str, headers: Mapping[str, str] | None = None) -> None:
        self._json(status, error(self.fake.flavour, status, words, kind), headers)

    def _json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        data = value if isinstance(value, str) else json.dumps(value)
        self._send(status, data.encode("utf-8", "surrogatepass"), "application/json", headers)

    def _send(self, status: int, data: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _break_off(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake model server on loopback.")
    parser.add_argument("--port", type=int, default=31000)
    parser.add_argument("--flavour", default="sglang")
    parser.add_argument("--model", default="kimi-k2.6")
    parser.add_argument("--key", default="")
    parser.add_argument("--answer", type=Path, help="a file whose text is every answer")
    given = parser.parse_args()
    answers = [given.answer.read_text(encoding="utf-8")] if given.answer else []
    with FakeServer(given.flavour, answers, port=given.port, model=given.model, key=given.key) as server:
        print(f"{server.url} speaks as {given.flavour}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
