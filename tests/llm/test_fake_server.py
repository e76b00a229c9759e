from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.llm.fake_server import FakeServer
from tests.llm.flavours import FLAVOURS

USER = [{"role": "user", "content": "Split the work."}]


def post(server: FakeServer, path: str, said: Any) -> tuple[int, str]:
    address = server.url.removesuffix("/v1") + path
    request = urllib.request.Request(address, json.dumps(said).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_flavour_answers_in_one_piece_and_as_a_stream(flavour: str) -> None:
    with FakeServer(flavour, ["Two parts."]) as server:
        status, whole = post(server, "/v1/chat/completions", {"model": "m", "messages": USER})
        assert status == 200
        assert json.loads(whole)["choices"][0]["message"]["content"] == "Two parts."
        _, streamed = post(server, "/v1/chat/completions", {"model": "m", "messages": USER, "stream": True})
        assert streamed.rstrip().endswith("data: [DONE]")
        assert [asked.body.get("stream") for asked in server.asked] == [None, True]


def test_its_switches_are_on_the_wire_too() -> None:
    with FakeServer() as server:
        post(server, "/behave", {"mode": "503", "times": 1})
        assert post(server, "/v1/chat/completions", {"messages": USER})[0] == 503
        post(server, "/answers", ["first", {"a": 1}])
        said = [post(server, "/v1/chat/completions", {"messages": USER})[1] for _ in range(3)]
        assert [json.loads(text)["choices"][0]["message"]["content"] for text in said] == [
            "first",
            '{"a": 1}',
            '{"a": 1}',
        ]


def test_it_can_be_killed_and_started_again_at_its_port() -> None:
    server = FakeServer().start()
    port = server.port
    server.kill()
    with pytest.raises(OSError):
        post(server, "/v1/chat/completions", {"messages": USER})
    with server:
        assert server.port == port
        assert post(server, "/v1/chat/completions", {"messages": USER})[0] == 200
