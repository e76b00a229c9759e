"""What the server refuses arrives as a fault of the right kind, and costs the server nothing."""

from __future__ import annotations

import dataclasses

import pytest

from agents.llm import client
from agents.llm.base import Endpoint, Fault, FaultKind, Message, Timeouts
from agents.llm.providers import body
from tests.model.conftest import KEY, Talk
from tests.model.serving.launch import ModelServer
from tests.run.servers import free_port


def fault(talk: Talk, endpoint: Endpoint, *said: Message | str, **more: object) -> Fault:
    with pytest.raises(Fault) as refused:
        client.ask(endpoint, talk.request(*(said or ("Plan.",)), **more))
    assert KEY not in str(refused.value)
    return refused.value


def test_a_schema_that_is_none_is_refused_at_once_and_then_asked_for_in_words(talk: Talk, server: ModelServer) -> None:
    fields = {"key": {"type": "string", "pattern": "("}}
    request = talk.request("Plan.", schema={"type": "object", "properties": fields, "required": ["key"]})
    status, answer = server.post("/v1/chat/completions", body(talk.endpoint, request, streaming=False))
    assert status == 400
    assert answer["object"] == "error"
    assert client.ask(talk.endpoint, request).text


def test_a_prompt_beyond_the_window_is_too_long(talk: Talk) -> None:
    assert fault(talk, talk.endpoint, "region " * 70_000).kind is FaultKind.TOO_LONG


def test_more_output_than_the_window_has_room_for_is_too_long(talk: Talk) -> None:
    assert fault(talk, talk.endpoint, max_output=1_000_000).kind is FaultKind.TOO_LONG


def test_a_wrong_key_and_none_are_told_apart_from_everything_else(talk: Talk) -> None:
    for key in ("", "wrong"):
        assert fault(talk, dataclasses.replace(talk.endpoint, key=key)).kind is FaultKind.KEY


def test_an_address_without_a_model_behind_it_is_a_fault(talk: Talk, server: ModelServer) -> None:
    away = dataclasses.replace(talk.endpoint, url=f"{server.url}/v2")
    assert fault(talk, away).kind in (FaultKind.REQUEST, FaultKind.UNREACHABLE)
    nobody = dataclasses.replace(talk.endpoint, url=f"http://127.0.0.1:{free_port()}/v1")
    assert fault(talk, nobody).kind is FaultKind.UNREACHABLE


def test_a_model_that_sees_nothing_refuses_an_image_and_is_asked_again_without_it(
    talk: Talk, server: ModelServer
) -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    form = {"type": "object", "properties": {"seen": {"type": "boolean"}}, "required": ["seen"]}
    seen = talk.request(Message("user", "The report cites a chart.", images=(picture,)), schema=form)
    assert server.post("/v1/chat/completions", body(talk.endpoint, seen, streaming=False))[0] == 400
    assert "seen" in client.ask(talk.endpoint, seen).text


def test_a_thought_without_an_answer_is_asked_again_without_thinking(talk: Talk) -> None:
    """Three tokens are not enough for its thought; both tries are in the usage."""
    reply = talk.ask("Plan.", max_output=3)
    assert reply.finish == "length"
    assert reply.text
    assert not reply.reasoning
    assert reply.usage.completion == 6
    assert reply.usage.prompt > 2 * 20


def test_an_answer_that_takes_too_long_is_given_up(talk: Talk) -> None:
    hurried = dataclasses.replace(
        talk.endpoint, timeouts=Timeouts(total=1.0), extra={**talk.endpoint.extra, "ignore_eos": True}
    )
    assert fault(talk, hurried, max_output=30_000).kind is FaultKind.SLOW


def test_a_test_of_the_endpoint_finds_everything_working(talk: Talk, server: ModelServer) -> None:
    found = client.check(dataclasses.replace(talk.endpoint, extra={}))
    assert list(found.models) == [server.name]
    assert found.context == 65_536
    assert found.latency > 0
    assert all(found.works.values()), found
    assert {"schema", "tools", "streaming", "cached"} <= set(found.works)


def test_a_test_with_a_wrong_key_says_so(talk: Talk) -> None:
    with pytest.raises(Fault) as refused:
        client.check(dataclasses.replace(talk.endpoint, key="wrong"))
    assert refused.value.kind is FaultKind.KEY
