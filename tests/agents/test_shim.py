"""The program between an agent that speaks MCP on stdio and `/mcp`: what comes back, and what when nothing does."""

from __future__ import annotations

import io
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agents.connector import shim as shim_module
from agents.connector.exits import Wrong
from agents.connector.shim import Endpoint, Shim
from agents.connector.tools import Tools

PATIENCE = 20.0
Json = dict[str, Any]
OK = {"jsonrpc": "2.0", "id": 1, "result": {"fine": True}}


@dataclass
class Tooling:
    """A server that answers with what the test has put there: (status, content)."""

    url: str = ""
    answers: list[tuple[int, Any]] = field(default_factory=list)
    heard: queue.Queue[tuple[Json, Any]] = field(default_factory=queue.Queue)


class _Handler(BaseHTTPRequestHandler):
    tooling: Tooling

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"]))
        self.tooling.heard.put(({k.lower(): v for k, v in self.headers.items()}, said))
        status, content = self.tooling.answers.pop(0) if self.tooling.answers else (200, OK)
        if status == 0:
            self.close_connection = True  # It took the request, and died.
            return
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return None


@pytest.fixture
def tooling() -> Iterator[Tooling]:
    found = Tooling()
    handler = type("Handler", (_Handler,), {"tooling": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}/mcp"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


class Lines(io.RawIOBase):
    """Where a shim writes; each line can be waited for."""

    def __init__(self) -> None:
        self.lines: queue.Queue[Json] = queue.Queue()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.lines.put(json.loads(data))
        return len(data)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def shim(tooling: Tooling, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> Shim:
    monkeypatch.setattr(shim_module, "_AGAIN", 0.01)
    return Shim(Endpoint(tooling.url, {"Authorization": "Bearer k"}), lines, patience=0.5)  # type: ignore[arg-type]


def asked(method: str, /, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


CALL = asked("tools/call", name="read_board", arguments={})


def test_a_message_goes_out_with_the_key_and_its_answer_comes_back(shim: Shim, tooling: Tooling, lines: Lines) -> None:
    shim.take(CALL)
    assert lines.lines.get(timeout=PATIENCE) == OK
    headers, said = tooling.heard.get(timeout=PATIENCE)
    assert said == CALL
    assert headers["authorization"] == "Bearer k"
    assert headers["content-type"] == "application/json"
    assert "mcp-protocol-version" not in headers


def test_the_revision_of_the_handshake_goes_with_everything_after_it(
    shim: Shim, tooling: Tooling, lines: Lines
) -> None:
    tooling.answers = [(200, {"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-06-18"}})]
    shim.take(asked("initialize"))
    shim.take(CALL)
    assert [lines.lines.get(timeout=PATIENCE)["id"] for _ in range(2)] == [1, 1]
    first, second = (tooling.heard.get(timeout=PATIENCE)[0] for _ in range(2))
    assert ("mcp-protocol-version" in first, second["mcp-protocol-version"]) == (False, "2025-06-18")


@pytest.mark.parametrize(
    ("name", "header"), [("read_board", "read_board"), ("über", "=?base64?w7xiZXI=?="), ("=?x", "=?base64?PT94?=")]
)
def test_a_request_that_says_everything_itself_says_it_in_headers_too(
    shim: Shim, tooling: Tooling, lines: Lines, name: str, header: str
) -> None:
    shim.take(asked("tools/call", name=name, _meta={"io.modelcontextprotocol/protocolVersion": "2026-07-28"}))
    lines.lines.get(timeout=PATIENCE)
    headers, _ = tooling.heard.get(timeout=PATIENCE)
    assert (headers["mcp-protocol-version"], headers["mcp-method"]) == ("2026-07-28", "tools/call")
    assert headers["mcp-name"] == header


def test_notifications_are_passed_on_and_answered_by_nothing(shim: Shim, tooling: Tooling, lines: Lines) -> None:
    tooling.answers = [(202, b""), (500, b"oops")]
    for _ in range(2):
        shim.take(b'{"jsonrpc":"2.0","method":"notifications/cancelled"}')
        tooling.heard.get(timeout=PATIENCE)
    shim.take(b"")
    shim.take(CALL)
    assert lines.lines.get(timeout=PATIENCE) == OK


@pytest.mark.parametrize(
    ("status", "content", "code", "words"),
    [
        (401, {"id": None, "error": {"code": -32000, "message": "The key is not valid."}}, -32000, "not valid"),
        (404, {"id": 1, "error": {"code": -32601, "message": "Method not found"}}, -32601, "not found"),
        (413, b"<h1>Too large</h1>", -32603, "answered 413"),
        (302, b"", -32603, "answered 302"),
        (200, b"not json", -32603, "answered 200"),
        (500, {}, -32603, "answered 500"),
    ],
)
def test_every_refusal_is_an_answer_to_the_request_that_it_is_for(
    shim: Shim, tooling: Tooling, lines: Lines, status: int, content: Any, code: int, words: str
) -> None:
    tooling.answers = [(status, content)]
    shim.take(CALL)
    answer = lines.lines.get(timeout=PATIENCE)
    assert (answer["id"], answer["error"]["code"]) == (1, code)
    assert words in answer["error"]["message"]
    assert tooling.heard.qsize() == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_restarts_is_waited_for(shim: Shim, tooling: Tooling, lines: Lines, status: int) -> None:
    tooling.answers = [(status, b""), (status, b"")]
    shim.take(CALL)
    assert lines.lines.get(timeout=PATIENCE) == OK
    assert tooling.heard.qsize() == 3


def test_a_call_that_may_have_been_done_is_not_made_again_and_a_question_is(
    shim: Shim, tooling: Tooling, lines: Lines
) -> None:
    tooling.answers = [(0, b"")]
    shim.take(CALL)
    answer = lines.lines.get(timeout=PATIENCE)
    assert "may have been done" in answer["error"]["message"]
    assert tooling.heard.qsize() == 1
    tooling.answers = [(0, b""), (502, b"")]
    shim.take(asked("tools/list"))
    assert lines.lines.get(timeout=PATIENCE) == OK
    assert tooling.heard.qsize() == 4


def test_a_server_that_stays_away_is_told_in_time(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shim_module, "_AGAIN", 0.01)
    away = Shim(Endpoint("http://127.0.0.1:1/mcp", {}), lines, patience=0.1)  # type: ignore[arg-type]
    away.take(CALL)
    answer = lines.lines.get(timeout=PATIENCE)
    assert "did not answer" in answer["error"]["message"]
    assert "may have been done" not in answer["error"]["message"]


def test_what_no_header_can_hold_is_refused_here(shim: Shim, lines: Lines) -> None:
    shim.take(asked("tools/list", _meta={"io.modelcontextprotocol/protocolVersion": "1\r\nX: y"}))
    assert lines.lines.get(timeout=PATIENCE)["error"]["code"] == -32600


def test_the_program_is_started_as_the_agent_is_told_and_shows_no_key(tooling: Tooling, tmp_path: Path) -> None:
    # A file of the task that is called like a module of Python is not taken for it.
    (tmp_path / "json.py").write_text("raise SystemExit('taken from the wrong place')")
    headers = [{"name": "Authorization", "value": "Bearer secret"}]
    servers = [{"type": "http", "name": "clawgroups", "url": tooling.url, "headers": headers}]
    frame: Json = {"params": {"mcpServers": servers}}
    tools = Tools("stdio", folder=tmp_path / "keys")
    assert tools.adapt(frame)
    (program,) = frame["params"]["mcpServers"]
    with subprocess.Popen(
        [program["command"], *program["args"]],
        cwd=tmp_path,
        env={one["name"]: one["value"] for one in program["env"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(CALL + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == OK
        assert b"secret" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"secret" not in Path(f"/proc/{process.pid}/environ").read_bytes()
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
    assert tooling.heard.get(timeout=PATIENCE)[0]["authorization"] == "Bearer secret"
    tools.close()
    done = subprocess.run(
        [sys.executable, "-m", "agents.connector", "mcp-shim", program["args"][-1]],
        capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is over" in done.stderr


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": "x", "headers": 1, "environment": {}}'])
def test_a_file_that_says_nothing_is_said_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(Wrong, match="does not say"):
        Endpoint.read(path)
