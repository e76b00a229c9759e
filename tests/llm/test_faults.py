"""What each failure of a server becomes, and that no key is in any of it."""

from __future__ import annotations

import email.utils
import logging
import socket
import ssl
import time
import traceback
from collections.abc import Callable, Iterator

import pytest

from agents.llm.base import Endpoint, Fault, FaultKind, Message, Request, Timeouts
from agents.llm.client import ask
from agents.llm.faults import said_in, status_fault
from tests.llm.fake_server import FakeServer
from tests.llm.flavours import FLAVOURS, Answer

REQUEST = Request((Message("user", "Plan it."),))
KEY = "sk-very-secret-key"
# For what hangs; whatever answers may take its time on a busy machine.
SHORT = Timeouts(connect=1.0, first=0.3, between=0.3, total=2.0)
PATIENT = Timeouts(connect=20.0, first=30.0, between=30.0, total=60.0)

KINDS = {
    "500": FaultKind.UNREACHABLE,
    "503": FaultKind.UNREACHABLE,
    "html": FaultKind.UNREACHABLE,
    "cut": FaultKind.UNREACHABLE,
    "failing": FaultKind.UNREACHABLE,
    "hang": FaultKind.SLOW,
    "stall": FaultKind.SLOW,
    "429": FaultKind.BUSY,
    "quota": FaultKind.QUOTA,
    "401": FaultKind.KEY,
    "403": FaultKind.KEY,
    "400": FaultKind.REQUEST,
    "404": FaultKind.REQUEST,
    "moved": FaultKind.REQUEST,
    "too_long": FaultKind.TOO_LONG,
    "garbage": FaultKind.MALFORMED,
    "empty": FaultKind.MALFORMED,
}


def fault_of(endpoint: Endpoint, *, streaming: bool = True) -> Fault:
    with pytest.raises(Fault) as raised:
        ask(endpoint, REQUEST, streaming=streaming)
    return raised.value


def end(server: FakeServer, key: str = KEY, timeouts: Timeouts = PATIENT) -> Endpoint:
    return Endpoint(server.flavour, server.url, "kimi-k2.6", key, timeouts=timeouts)


@pytest.fixture(scope="module", params=FLAVOURS)
def server(request: pytest.FixtureRequest) -> Iterator[FakeServer]:
    with FakeServer(request.param, ["A plan in two parts."]) as server:
        yield server


@pytest.mark.parametrize("mode", KINDS)
def test_each_failure_has_its_kind_at_every_provider(server: FakeServer, mode: str) -> None:
    server.behave(mode)
    timeouts = SHORT if KINDS[mode] is FaultKind.SLOW else PATIENT
    assert fault_of(end(server, timeouts=timeouts)).kind is KINDS[mode]


@pytest.mark.parametrize("mode", [mode for mode in KINDS if mode not in ("cut", "failing", "stall", "hang")])
def test_it_is_the_same_without_streaming(server: FakeServer, mode: str) -> None:
    server.behave(mode)
    assert fault_of(end(server), streaming=False).kind is KINDS[mode]


def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        fault = fault_of(Endpoint("sglang", f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "kimi-k2.6"))
    assert fault.kind is FaultKind.UNREACHABLE
    assert "cannot be reached" in str(fault)


def test_a_name_that_does_not_exist_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    fault = fault_of(Endpoint("sglang", "http://no-such-host.invalid/v1", "kimi-k2.6"))
    assert fault.kind is FaultKind.UNREACHABLE


def test_a_server_that_speaks_no_tls_is_unreachable() -> None:
    with FakeServer() as server:
        fault = fault_of(Endpoint("sglang", server.url.replace("http:", "https:"), "kimi-k2.6", timeouts=PATIENT))
    assert fault.kind is FaultKind.UNREACHABLE
    assert ssl.OPENSSL_VERSION  # it is TLS that was tried


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("1500ms", 1.5), ("-5", None), ("soon", None), ("999999999", 86_400.0)],
)
def test_when_to_ask_again_is_read_as_seconds(given: str, seconds: float | None) -> None:
    with FakeServer("moonshot") as server:
        server.behave("429", retry_after=given)
        assert fault_of(end(server)).again_in == seconds


@pytest.mark.parametrize(
    "spelled",
    [
        lambda at: email.utils.formatdate(at, usegmt=True),
        lambda at: str(int(at)),
        lambda at: str(int(at * 1000)),
    ],
)
def test_when_to_ask_again_is_read_as_a_point_in_time(spelled: Callable[[float], str]) -> None:
    said = {"retry-after": spelled(time.time() + 600)}
    assert status_fault(Endpoint("moonshot", "", ""), 429, {}, said).again_in == pytest.approx(600, abs=30)


def test_a_server_that_is_full_is_busy_and_not_dead() -> None:
    with FakeServer() as server:
        server.behave("503", retry_after="3")
        fault = fault_of(end(server))
    assert (fault.kind, fault.again_in) == (FaultKind.BUSY, 3.0)
    said = {"object": "error", "message": "The request queue is full.", "code": 503}
    assert status_fault(Endpoint("sglang", "", ""), 503, said, {}).kind is FaultKind.BUSY


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (402, "This request requires more credits", FaultKind.QUOTA),
        (403, "You've reached your usage limit for this billing cycle", FaultKind.QUOTA),
        (429, "Your account is suspended due to insufficient balance", FaultKind.QUOTA),
        (429, "Rate limit reached. Add a payment method to increase it.", FaultKind.BUSY),
        (
            400,
            "The input (300000 tokens) is longer than the model's context length (262144 tokens).",
            FaultKind.TOO_LONG,
        ),
        (400, "total message size 3000000 exceeds limit 2097152", FaultKind.TOO_LONG),
        (413, "", FaultKind.TOO_LONG),
        (422, "Field required", FaultKind.REQUEST),
        (408, "", FaultKind.SLOW),
        (529, "Overloaded", FaultKind.BUSY),
        (418, "", FaultKind.REQUEST),
    ],
)
def test_words_of_providers_are_understood(status: int, words: str, kind: FaultKind) -> None:
    fault = status_fault(Endpoint("moonshot", "", ""), status, {"error": {"message": words, "type": "x"}}, {})
    assert fault.kind is kind
    assert words in str(fault)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": {"message": "of OpenAI's form"}}, "of OpenAI's form"),
        ({"object": "error", "message": "flat"}, "flat"),
        ({"success": False, "errors": [{"code": 1, "message": "of Cloudflare's form"}]}, "of Cloudflare's form"),
        ({"detail": [{"loc": ["body"], "msg": "of FastAPI's form"}]}, "of FastAPI's form"),
        ({"error": "only words"}, "only words"),
        (b"bytes \xff", "bytes \ufffd"),
        ("<!DOCTYPE html><html><title>502\nBad Gateway</title>", "502 Bad Gateway"),
        ("<HTML><body>", "a page instead of an answer"),
        ('{"error": {"message": "as text"}}', "as text"),
        ({"error": {"message": None}}, ""),
        ([], ""),
        (None, ""),
        ("x" * 9999, "x" * 300),
    ],
)
def test_the_words_of_an_error_are_found_in_every_form(answer: object, words: str) -> None:
    assert said_in(answer) == words


def test_the_key_is_in_no_text_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    leaky = f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'
    with FakeServer("openai") as server:
        endpoint = end(server, timeouts=SHORT)
        for mode in KINDS:
            server.behave(mode)
            fault = fault_of(endpoint)
            shown = "".join(traceback.format_exception(fault)) + repr(fault) + str(vars(fault))
            assert KEY not in shown
        server.behave()
        server.answer_with([Answer("fine")])
        assert KEY not in repr(ask(endpoint, REQUEST))
    assert KEY not in caplog.text
    assert KEY not in repr(endpoint)
    assert KEY not in str(status_fault(endpoint, 401, leaky, {}))
