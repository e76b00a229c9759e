"""A machine comes in by its line: the key is kept before it is sent, and gone when it was refused."""

from __future__ import annotations

import contextlib
import json
import socket
import stat
import sys
import threading
import urllib.error
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agents.connector import posting, wire
from agents.connector.cli import main
from agents.connector.enrolling import TRIES, Door
from agents.connector.exits import REFUSED, UNREACHABLE, USAGE, Wrong
from agents.connector.keys import KeyFile
from agents.protocol import codes

CODE = "abcd-efgh-jkmn-pqrs"
TAKEN = {"agent": "0", "name": "Scribe", "handle": "scribe", "launcher": "kimi"}
Given = tuple[int, Any]


@dataclass
class Asked:
    """A server whose answers are given one after the other, the last one again and again."""

    url: str = ""
    answers: list[Given | None] = field(default_factory=lambda: [(200, TAKEN)])
    """None: it breaks off without an answer."""
    bodies: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def next(self) -> Given | None:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(BaseHTTPRequestHandler):
    asked: Asked

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.bodies.append(json.loads(body))
        self.asked.paths.append(self.path)
        given = self.asked.next()
        if given is None:
            self.close_connection = True
            return
        status, said = given
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "https://elsewhere.example/api/v1/enrol")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        return None


@pytest.fixture
def server() -> Iterator[Asked]:
    asked = Asked()
    handler = type("Handler", (_Handler,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        asked.url = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield asked
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFile:
    """A settings folder of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CLAWGROUPS_CLOCK_SCALE", "0.001")
    monkeypatch.delenv("CLAWGROUPS_KEY", raising=False)
    return KeyFile()


def door(url: str, keys: KeyFile, said: list[str] | None = None) -> Door:
    told: list[str] = [] if said is None else said
    return Door(wire.socket_address(url), keys, told.append, scale=0.001)


def refused(url: str, keys: KeyFile) -> Wrong:
    with pytest.raises(Wrong) as wrong:
        door(url, keys).enrol(CODE)
    return wrong.value


def problem(status: int, code: str, detail: str) -> Given:
    return status, {"type": "urn:x", "title": "x", "status": status, "code": code, "detail": detail}


def test_it_brings_a_key_of_its_own_and_keeps_it_privately(server: Asked, keys: KeyFile) -> None:
    said: list[str] = []
    enrolled = door(server.url, keys, said).enrol(f" {CODE.upper()} ")
    assert server.paths == ["/api/v1/enrol"]
    assert server.bodies == [{"code": CODE, "key": enrolled.key}]
    assert codes.is_key(enrolled.key)
    assert (enrolled.name, enrolled.launcher) == ("Scribe", "kimi")
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.path.parent.stat().st_mode) == 0o700
    assert said == [f"let in as Scribe (@scribe); the key is kept in {keys.path}"]
    address = wire.socket_address(server.url)
    assert {keys.find(address), keys.find(address, "scribe")} == {enrolled.key}
    # The code is a secret for its hour, and the key for good: neither is shown or kept where it need not be.
    assert CODE not in keys.path.read_text()
    assert enrolled.key not in repr(enrolled)


def test_a_name_keeps_several_agents_of_one_server_apart(server: Asked, keys: KeyFile) -> None:
    one = door(server.url, keys).enrol(CODE, "one")
    two = door(server.url, keys).enrol("0000-0000-0000-0000", "two")
    address = wire.socket_address(server.url)
    assert (keys.find(address, "one"), keys.find(address, "two"), keys.find(address)) == (one.key, two.key, None)
    assert one.key != two.key


def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_key(server: Asked, keys: KeyFile) -> None:
    server.answers = [None, (503, b""), problem(409, "conflict", "Somebody else was quicker."), (200, TAKEN)]
    said: list[str] = []
    enrolled = door(server.url, keys, said).enrol(CODE)
    assert [body["key"] for body in server.bodies] == [enrolled.key] * 4
    assert said[0] == "the server does not answer yet; trying again"


def test_a_start_after_a_lost_answer_goes_on_with_the_same_key(server: Asked, keys: KeyFile) -> None:
    server.answers = [None]
    assert refused(server.url, keys).code == UNREACHABLE
    assert len(server.bodies) == TRIES
    server.answers = [(200, TAKEN)]
    enrolled = door(server.url, keys).enrol(CODE)
    assert {body["key"] for body in server.bodies} == {enrolled.key}
    # And so does the same line on another day.
    assert door(server.url, keys).enrol(CODE).key == enrolled.key


def test_a_fault_on_the_way_does_not_lose_a_key_that_was_sent_before(server: Asked, keys: KeyFile) -> None:
    server.answers = [None]
    refused(server.url, keys)
    server.answers = [(404, b"<html>")]
    refused(server.url, keys)
    server.answers = [(200, TAKEN)]
    door(server.url, keys).enrol(CODE)
    assert len({body["key"] for body in server.bodies}) == 1


REFUSALS = [
    problem(404, "unknown_code", "This code is not known here. Make a new line on the agent's page."),
    problem(409, "code_used", "This code has been used already. Make a new line on the agent's page."),
    problem(409, "code_expired", "This code is over: it was good for an hour. Make a new line on the agent's page."),
]


@pytest.mark.parametrize("answer", REFUSALS, ids=lambda answer: str(answer[1]["code"]))
def test_a_refused_code_leaves_no_key_behind(server: Asked, keys: KeyFile, answer: Given) -> None:
    server.answers = [answer]
    wrong = refused(server.url, keys)
    assert wrong.code == REFUSED
    assert str(wrong) == f"the server does not take the code: {answer[1]['detail']}"
    assert not keys.path.exists()
    assert list(keys.path.parent.iterdir()) == []


def test_a_refused_code_takes_no_other_key_along(server: Asked, keys: KeyFile) -> None:
    address = wire.socket_address(server.url)
    keys.remember(address, "", "cg_of_before")
    server.answers = [REFUSALS[0]]
    refused(server.url, keys)
    assert json.loads(keys.path.read_text()) == {address.split("/")[2]: "cg_of_before"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, b"<html>"), "answered 404, as no Claw Groups server of this version does: check the address"),
        ((200, b"<html>Log in to this network"), "answered 200, as no Claw Groups server"),
        ((200, [1]), "answered 200"),
        ((403, b""), "answered 403"),
        ((307, b""), "the server has moved; connect to the address it names instead: https://elsewhere.example/"),
        (problem(429, "rate_limited", "Too many wrong codes were tried. Wait 7 seconds, then try again."), "Wait 7"),
        ((404, {"code": "unknown", "detail": "\x1b[2J"}), "answered 404"),
    ],
)
def test_whoever_else_answers_is_told_apart(server: Asked, keys: KeyFile, answer: Given, words: str) -> None:
    server.answers = [answer]
    wrong = refused(server.url, keys)
    assert (wrong.code, words in str(wrong)) == (UNREACHABLE, True), str(wrong)
    assert str(wrong).isprintable()
    assert len(server.bodies) == 1
    assert not keys.path.exists()


def test_a_server_that_is_busy_all_the_time_says_so(server: Asked, keys: KeyFile) -> None:
    server.answers = [(503, b"")]
    wrong = refused(server.url, keys)
    assert "cannot take the code now (it answered 503)" in str(wrong)
    # It may have taken it all the same.
    assert keys.path.exists()


def test_nobody_at_the_address_is_told_and_nothing_is_kept(keys: KeyFile) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    wrong = refused(f"http://127.0.0.1:{port}", keys)
    assert wrong.code == UNREACHABLE
    assert str(wrong).startswith(f"nothing listens at 127.0.0.1:{port}: check that the server runs")
    assert not keys.path.exists()


FAULTS: list[tuple[Exception, str]] = [
    (urllib.error.URLError(socket.gaierror(socket.EAI_NONAME, "x")), "there is no machine named host.example"),
    (urllib.error.URLError(TimeoutError()), "host.example:443 does not answer: check the address"),
    (
        urllib.error.URLError(OSError("Tunnel connection failed: 403 Forbidden")),
        "(Tunnel connection failed: 403",
    ),
    (ConnectionResetError(), "broke off without a proper answer"),
    (ValueError("label too long"), "no connection to host.example:443 (label too long)"),
]


@pytest.mark.parametrize(("fault", "words"), FAULTS, ids=lambda given: type(given).__name__)
def test_what_is_wrong_on_the_way_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, keys: KeyFile, fault: Exception, words: str
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def fail(_request: Any) -> Any:
        raise fault

    monkeypatch.setattr(posting, "_sent", fail)
    wrong = refused("https://host.example", keys)
    assert (wrong.code, words in str(wrong)) == (UNREACHABLE, True), str(wrong)


def test_a_proxy_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, keys: KeyFile
) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    text = str(refused("https://host.example", keys))
    assert text.startswith(f"nothing listens at 127.0.0.1:{port}")
    assert "the proxy of host.example" in text
    assert "secret" not in text


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_sent(
    server: Asked, keys: KeyFile, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("a file where the folder should be")
    wrong = refused(server.url, keys)
    assert wrong.code == USAGE
    assert str(keys.path) in str(wrong)
    assert "the key cannot be kept" in str(wrong)
    assert server.bodies == []


def test_two_lines_at_the_same_moment_keep_both_keys(server: Asked, keys: KeyFile) -> None:
    address = wire.socket_address(server.url)
    names = [f"agent-{number}" for number in range(8)]

    def remember(name: str) -> Callable[[], None]:
        return lambda: KeyFile().remember(address, name, f"cg_{name}")

    threads = [threading.Thread(target=remember(name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [keys.find(address, name) for name in names] == [f"cg_{name}" for name in names]


@pytest.mark.parametrize("typed", ["", "abcd", "abcd-efgh-jkmn-pqrs-0", "abcd-efgh-jkmn-pqr!", "ЖЖЖЖ-efgh-jkmn-pqrs"])
def test_what_is_no_code_is_said_to_be_none(
    server: Asked, keys: KeyFile, typed: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect", server.url, "--code", typed, "--", sys.executable]) == USAGE
    said = capfd.readouterr().err
    assert said.startswith("clawgroups: that is not a code")
    assert said.count("\n") == 1
    assert (server.bodies, keys.path.exists()) == ([], False)


def test_a_program_that_is_not_there_does_not_use_the_code_up(
    server: Asked, keys: KeyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect", server.url, "--code", CODE, "--", "no-such-agent"]) == 127
    assert "no program no-such-agent" in capfd.readouterr().err
    assert (server.bodies, keys.path.exists()) == ([], False)


@pytest.mark.parametrize(
    ("option", "words"),
    [("--dir", "is a file, not a folder"), ("--policy", "`clawgroups policy check`"), ("--repo", "there is no folder")],
)
def test_a_folder_or_rules_that_cannot_be_used_do_not_use_the_code_up(
    server: Asked, tmp_path: Path, capfd: pytest.CaptureFixture[str], option: str, words: str
) -> None:
    file = tmp_path / "file"
    file.write_text("[")
    assert main(["connect", server.url, "--code", CODE, option, str(file), "--", sys.executable]) == USAGE
    said = capfd.readouterr().err
    assert (said.count("\n"), words in said, server.bodies) == (1, True, [])
    assert not list(tmp_path.rglob("*.json"))


def test_without_a_command_the_program_that_the_owner_chose_is_started_and_its_lack_is_told(
    server: Asked, keys: KeyFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for _ in range(2):
        assert main(["connect", server.url, "--code", CODE]) == 127
        assert "Kimi Code is not installed on this machine; install it with: npm" in capfd.readouterr().err
    # The code is used by now, and the same line goes on once the program is there.
    assert len({body["key"] for body in server.bodies}) == 1
    assert keys.find(wire.socket_address(server.url), "scribe") == server.bodies[0]["key"]


def test_a_code_lets_one_agent_in(server: Asked, capfd: pytest.CaptureFixture[str]) -> None:
    for more in (["--agent", "kimi", "--agent", "opencode"], ["--all"]):
        assert main(["connect", server.url, "--code", CODE, *more]) == USAGE
        assert capfd.readouterr().err.count("\n") == 1
    assert server.bodies == []


def test_a_code_and_a_key_together_are_refused(server: Asked, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["connect", server.url, "--code", CODE, "--key", "cg_x", "--", sys.executable])
    assert ended.value.code == USAGE
    assert "not allowed with" in capfd.readouterr().err


def test_the_shape_of_codes_and_keys() -> None:
    drawn = {codes.new_code() for _ in range(50)}
    assert len(drawn) == 50
    assert all(codes.is_code(code) and codes.read_code(code) == code for code in drawn)
    assert all(codes.is_key(codes.new_key()) for _ in range(50))
    assert codes.read_code("OIl0 abcd EFGH jkmn") == "0110-abcd-efgh-jkmn"
    assert not codes.is_code("abcd-efgh-jkmn-pqru")
    assert not codes.is_key(codes.new_key("ct"))
