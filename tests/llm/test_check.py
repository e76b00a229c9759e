"""The test of a connection: what it finds of a server, and what it says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.llm.base import Endpoint, Fault, FaultKind, Message, Request
from agents.llm.client import ask, check
from agents.llm.probing import models_in
from tests.llm.example import example_of
from tests.llm.fake_server import FakeServer
from tests.llm.flavours import FLAVOURS, Answer


def end(server: FakeServer, model: str = "kimi-k2.6", key: str = "a-key") -> Endpoint:
    return Endpoint(server.flavour, server.url, model, key)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_server_that_can_everything_is_found_to(flavour: str) -> None:
    with FakeServer(flavour, key="a-key") as server:
        found = check(end(server))
    assert list(found.models) == ["kimi-k2.6"]
    assert found.context == (None if flavour in ("openai", "cloudflare") else 262_144)
    assert found.latency > 0
    # Cloudflare tells nothing of its cache.
    assert found.works == {"streaming": True, "schema": True, "tools": True, "cached": flavour != "cloudflare"}
    assert ("tells nothing of cached tokens" in found.said) == (flavour == "cloudflare")


def test_what_does_not_work_is_said() -> None:
    def only_talks(body: dict[str, Any]) -> Answer:
        return Answer("ready", usage={"prompt_tokens": 10, "completion_tokens": 1})

    with FakeServer("openai", only_talks) as server:
        found = check(end(server))
    assert found.works == {"streaming": True, "schema": False, "tools": False, "cached": False}
    for words in ("does not keep to a JSON schema", "does not call tools", "cached tokens"):
        assert words in found.said


def test_a_server_that_cannot_stream_is_found_out_and_still_asked_the_rest() -> None:
    with FakeServer() as server:
        server.behave("deaf")
        found = check(end(server))
    assert found.works == {"streaming": False, "schema": True, "tools": True, "cached": True}


def test_a_model_that_the_server_has_not_is_said_with_those_that_it_has() -> None:
    with FakeServer(model="kimi-k2.6") as server:
        found = check(end(server, model="kimi-k9"))
    assert "It has no model kimi-k9. It offers kimi-k2.6." in found.said


def test_a_refused_schema_is_no_reason_to_stop() -> None:
    def answer(body: dict[str, Any]) -> Answer:
        return Answer("certainly") if "response_format" in body else example_of(body)

    with FakeServer("vllm", answer) as server:
        found = check(end(server))
    assert (found.works["schema"], found.works["tools"]) == (False, True)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("401", FaultKind.KEY),
        ("quota", FaultKind.QUOTA),
        ("503", FaultKind.UNREACHABLE),
        ("429", FaultKind.BUSY),
        ("404", FaultKind.REQUEST),
    ],
)
def test_a_server_that_cannot_be_used_is_a_fault(mode: str, kind: FaultKind) -> None:
    with FakeServer() as server:
        server.behave(mode)
        with pytest.raises(Fault) as raised:
            check(end(server))
    assert raised.value.kind is kind


def test_a_wrong_key_is_a_fault_before_anything_is_asked() -> None:
    with FakeServer(key="another") as server:
        with pytest.raises(Fault) as raised:
            check(end(server))
        assert raised.value.kind is FaultKind.KEY
        assert not server.asked


@pytest.mark.parametrize(
    ("told", "names", "window"),
    [
        (None, [], None),
        ({"data": None}, [], None),
        ({"data": [None, 7, {"id": "a"}, {"id": "b", "max_model_len": 9}]}, ["a", "b"], None),
        ({"data": [{"id": "other", "max_model_len": 9}]}, ["other"], 9),
        ({"data": [{"id": "m", "max_model_len": "9", "context_length": True}]}, ["m"], None),
        ({"data": [{"id": "m", "max_model_len": 9, "context_length": 12}]}, ["m"], 9),
    ],
)
def test_lists_of_models_are_read_in_any_form(told: Any, names: list[str], window: int | None) -> None:
    assert models_in(told, "m") == (names, window)


def test_the_fake_runs_as_a_program_and_says_what_a_file_holds(tmp_path: Path) -> None:
    said = tmp_path / "plan.json"
    said.write_text('{"tasks": []}', encoding="utf-8")
    program = [sys.executable, "-m", "tests.llm.fake_server", "--port", "0", "--answer", str(said)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=root, env=dict(os.environ)) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[0]
            reply = ask(Endpoint("sglang", url, "kimi-k2.6"), Request((Message("user", "Plan it."),)))
            assert json.loads(reply.text) == {"tasks": []}
        finally:
            process.terminate()


def test_only_who_asks_a_model_imports_the_package_for_it() -> None:
    loads = "import sys, agents.llm.client, agents.llm.scripted, agents.llm.stored; print('openai' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "False"
