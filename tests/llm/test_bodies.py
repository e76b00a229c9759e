"""The bodies in `bodies/` are what each provider is sent: byte for byte, over a real connection."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agents.llm.base import Endpoint, Fault, FaultKind, Message, Mode, Request, Tool
from agents.llm.client import ask
from agents.llm.providers import PRESETS, address, body
from agents.llm.stored import request_as_json, request_from_json
from tests.llm.fake_server import FakeServer
from tests.llm.questions import BODIES, OTHERS, QUESTIONS, SCHEMA, TALK, TOOLS, as_text, endpoint, modes


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("provider", PRESETS)
def test_each_provider_is_sent_exactly_the_pinned_body(provider: str, question: str) -> None:
    pinned = json.loads((BODIES / f"{provider}.json").read_text(encoding="utf-8"))[question]
    with FakeServer(provider) as server:
        ask(endpoint(provider, server.url), QUESTIONS[question])
        (asked,) = server.asked
    assert as_text(asked.body) == as_text(pinned)
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == "Bearer a-key"


def test_the_modes_of_other_models_are_pinned() -> None:
    pinned = json.loads((BODIES / "other_models.json").read_text(encoding="utf-8"))
    assert modes() == pinned
    assert len(pinned) == 3 * len(OTHERS) * len(Mode)


@pytest.mark.parametrize("provider", PRESETS)
def test_a_request_that_was_kept_makes_the_same_bytes(provider: str) -> None:
    for request in QUESTIONS.values():
        # As `jsonb` gives it back: with its fields in another order.
        kept = json.loads(json.dumps(request_as_json(request), sort_keys=True))
        assert as_text(body(endpoint(provider), request_from_json(kept))) == as_text(body(endpoint(provider), request))


def test_tools_are_sent_in_one_order_whatever_order_they_come_in() -> None:
    sent = {as_text(body(endpoint("sglang"), Request(TALK, tools=tools))) for tools in (TOOLS, TOOLS[::-1])}
    assert len(sent) == 1


def test_without_streaming_nothing_of_a_stream_is_asked_for() -> None:
    said = body(endpoint("sglang"), Request(TALK), streaming=False)
    assert "stream" not in said
    assert "stream_options" not in said


def test_no_key_sends_no_authorization_and_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "of the environment")
    with FakeServer() as server:
        ask(Endpoint("sglang", server.url, "kimi-k2.6"), Request(TALK))
        headers = server.asked[0].headers
    assert "of the environment" not in str(headers)
    assert "authorization" not in headers


def test_what_an_endpoint_adds_is_laid_over_the_body_but_not_over_what_is_asked() -> None:
    extra: dict[str, Any] = {
        "temperature": 0,
        "top_p": None,
        "seed": 7,
        "model": "another",
        "messages": [],
        "stream": False,
    }
    said = body(replace(endpoint("sglang"), extra=extra), Request(TALK))
    assert (said["temperature"], said["seed"], said["model"]) == (0, 7, "moonshotai/Kimi-K2.6")
    assert "top_p" not in said
    assert said["stream"] is True
    assert len(said["messages"]) == len(TALK)


def test_the_limit_and_the_cache_key_have_openais_names_at_openai_itself() -> None:
    at_openai = body(endpoint("openai", "https://api.openai.com/v1", "gpt-5"), Request(TALK, cache_key="run"))
    elsewhere = body(endpoint("openai", "https://models.example.org/v1", "gpt-5"), Request(TALK, cache_key="run"))
    assert at_openai["max_completion_tokens"] == elsewhere["max_tokens"] == 16_000
    assert at_openai["prompt_cache_key"] == "run"
    assert "prompt_cache_key" not in elsewhere


def test_halves_of_characters_can_be_sent() -> None:
    request = Request((Message("user", "half \ud83d and \x00"),), schema={"title": "\udfff"})
    with FakeServer() as server:
        ask(endpoint("sglang", server.url), request)
        assert server.asked[0].body["messages"][0]["content"] == "half \ufffd and \ufffd"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(TALK, schema=SCHEMA, tools=TOOLS), "not both"),
        (Request(TALK, tools=(*TOOLS, TOOLS[0])), "names of their own"),
        (Request(TALK, tools=tuple(Tool(f"tool_{number}", "", {}) for number in range(129))), "128"),
        (Request(TALK, tools=(Tool("a.tool", "", {}),)), "'a.tool'"),
        (Request(TALK, tools=(Tool("ab", "", {}),)), "'ab'"),
        (Request(TALK, tools=(Tool("a_tool\n", "", {}),)), "name"),
    ],
)
def test_what_no_server_could_answer_is_not_sent(request_: Request, words: str) -> None:
    with FakeServer() as server:
        with pytest.raises(Fault, match=words) as raised:
            ask(endpoint("sglang", server.url), request_)
        assert raised.value.kind is FaultKind.REQUEST
        assert not server.asked


@pytest.mark.parametrize(
    ("entered", "used"),
    [
        ("http://127.0.0.1:30000", "http://127.0.0.1:30000/v1"),
        ("http://127.0.0.1:30000/", "http://127.0.0.1:30000/v1"),
        (" https://api.moonshot.ai/v1/ ", "https://api.moonshot.ai/v1"),
        ("https://openrouter.ai/api/v1/chat/completions", "https://openrouter.ai/api/v1"),
    ],
)
def test_addresses_are_taken_as_people_enter_them(entered: str, used: str) -> None:
    assert address(endpoint("sglang", entered)) == used


@pytest.mark.parametrize(
    "entered",
    ["", "127.0.0.1:30000", "ftp://host/v1", "http://", "http://[::1", "http://h:99999/v1", "http://ada:key@h/v1"],
)
def test_an_address_that_is_none_is_refused_with_words(entered: str) -> None:
    with pytest.raises(Fault, match="not complete") as raised:
        address(endpoint("sglang", entered))
    assert raised.value.kind is FaultKind.REQUEST


def test_placeholders_of_an_address_must_be_filled_in() -> None:
    with pytest.raises(Fault, match="not complete"):
        ask(endpoint("cloudflare", PRESETS["cloudflare"].url), Request(TALK))
