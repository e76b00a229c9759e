"""Streams as they come: in any pieces, late, never ending, broken off; and how they are left."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from itertools import count
from typing import Any

import pytest

from agents.llm.base import Endpoint, Fault, FaultKind, Message, Mode, Request, Timeouts, Tool, ToolCall, Usage
from agents.llm.client import TRIES, ask
from agents.llm.wire import Exchange
from tests.llm.fake_server import FakeServer
from tests.llm.flavours import FLAVOURS, Answer

ASKED = Request((Message("user", "Plan it."),))
TOOL = Tool("assign_task", "Gives a task.", {"type": "object"})
SCHEMA = {"type": "object"}


def end(server: FakeServer, **times: float) -> Endpoint:
    return Endpoint(server.flavour, server.url, "kimi-k2.6", timeouts=Timeouts(**times))


def line(delta: Any = None, finish: Any = None, **more: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more.pop("choice", {})}
    return "data: " + json.dumps({"id": "c", "model": "kimi-k2.6", "choices": [choice], **more})


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_text_reasoning_calls_and_usage_come_whole_from_every_provider(flavour: str, streaming: bool) -> None:
    arguments = '{"agent": "写作者 🦀", "n": [1, 2]}'
    said = Answer("Two parts: é 🦀.", "Zwei Teile, 两部分.", [("functions.assign_task:0", "assign_task", arguments)])
    with FakeServer(flavour, [said], piece=1) as server:
        reply = ask(end(server), Request(ASKED.messages, tools=(TOOL,)), streaming=streaming)
    assert (reply.text, reply.finish) == (said.text, "tool_calls")
    assert reply.reasoning == ("" if flavour == "openai" else said.reasoning)
    assert reply.calls == (ToolCall("functions.assign_task:0", "assign_task", arguments),)
    assert reply.usage.prompt > 0 < reply.usage.completion
    assert not reply.usage.estimated
    assert 0 < reply.first <= reply.took
    assert reply.raw["choices"]
    assert (reply.usage.cost is not None) == (flavour == "openrouter")


@pytest.mark.parametrize("flavour", ["sglang", "vllm", "moonshot", "openrouter", "openai"])
@pytest.mark.parametrize("streaming", [True, False])
def test_cached_tokens_are_found_wherever_a_provider_puts_them(flavour: str, streaming: bool) -> None:
    with FakeServer(flavour, ["Fine."]) as server:
        asked = Request((Message("system", "A long text that stays. " * 20), *ASKED.messages))
        cached = [ask(end(server), asked, streaming=streaming).usage.cached for _ in range(2)]
    assert cached[0] == 0 < cached[1]


def test_calls_are_put_together_from_pieces_of_any_form() -> None:
    pieces = [
        line({"role": "assistant", "content": None, "tool_calls": None}),
        line(
            {
                "tool_calls": [
                    {"index": 1, "id": "functions.b_tool:1", "function": {"name": "b_tool", "arguments": None}}
                ]
            }
        ),
        line(
            {"tool_calls": [{"index": 0, "id": "functions.a_tool:0", "function": {"name": "a_tool", "arguments": "{"}}]}
        ),
        line({"tool_calls": [{"index": 1, "function": {"name": "b_tool", "arguments": '{"x":'}}]}),
        line(
            {
                "tool_calls": [
                    {"index": 0, "function": {"arguments": "}"}},
                    {"index": 1, "function": {"arguments": "1}"}},
                ]
            }
        ),
        line({}, "stop"),
        "data: [DONE]",
    ]
    with FakeServer(answers=[Answer(events=pieces)]) as server:
        reply = ask(end(server), ASKED)
    assert [(call.name, call.arguments) for call in reply.calls] == [("a_tool", "{}"), ("b_tool", '{"x":1}')]
    assert reply.finish == "tool_calls"  # whatever the server says


def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    pieces = [
        line({"tool_calls": [{"id": "one", "function": {"name": "a_tool", "arguments": {"x": 1}}}]}),
        line({"tool_calls": [{"id": "two", "function": {"name": "b_tool", "arguments": "{"}}]}),
        line({"tool_calls": [{"function": {"arguments": "}"}}]}, "tool_calls"),
    ]
    with FakeServer(answers=[Answer(events=pieces)]) as server:
        reply = ask(end(server), ASKED)
    assert reply.calls == (ToolCall("one", "a_tool", '{"x": 1}'), ToolCall("two", "b_tool", "{}"))


def test_what_is_missing_null_or_a_comment_between_pieces_does_no_harm() -> None:
    pieces = [
        ": OPENROUTER PROCESSING",
        "event: message\ndata: null",
        'data: {"choices": null}',
        'data: {"choices": []}',
        'data: {"choices": [null], "usage": null}',
        line(None),
        line({"content": [{"type": "text", "text": "Two "}]}),
        line({"content": "parts.", "reasoning": "x", "reasoning_content": "x", "reasoning_details": [{"text": "x"}]}),
        line({}, "stop", choice={"usage": {"prompt_tokens": 9, "completion_tokens": 4, "cached_tokens": 3}}),
        "data: [DONE]",
    ]
    with FakeServer("moonshot", [Answer(events=pieces)]) as server:
        reply = ask(end(server), ASKED)
    assert (reply.text, reply.reasoning) == ("Two parts.", "x")
    assert reply.usage == Usage(prompt=9, cached=3, completion=4)


def test_a_stream_in_which_nothing_comes_is_asked_again_in_one_piece() -> None:
    with FakeServer(answers=["Two parts."]) as server:
        server.behave("deaf")
        assert ask(end(server), Request(ASKED.messages, rid="run-1")).text == "Two parts."
        first, second = server.asked
    assert first.body["stream"] is True
    assert "stream" not in second.body
    assert first.body["chat_template_kwargs"] == second.body["chat_template_kwargs"] == {"thinking": True}
    # The server may still be at the first: it refuses the same id.
    assert (first.body["rid"], second.body["rid"]) == ("run-1", "run-1-2")


def test_a_stream_that_ends_without_its_end_is_asked_again_in_one_piece_and_both_are_counted() -> None:
    with FakeServer(answers=["Two parts, three parts."]) as server:
        server.behave("unended", after=3, times=1)
        reply = ask(end(server), ASKED)
        whole = ask(end(server), ASKED)
    assert reply.text == "Two parts, three parts."
    assert reply.usage.completion > whole.usage.completion
    assert reply.usage.estimated


def test_a_model_that_ends_inside_its_thinking_is_asked_again_without_thinking_and_both_are_counted() -> None:
    used = {"prompt_tokens": 10, "completion_tokens": 7}
    with FakeServer(answers=[Answer("", "I think.", usage=used), Answer("Two parts.", usage=used)]) as server:
        reply = ask(end(server), ASKED)
        modes = [asked.body["chat_template_kwargs"]["thinking"] for asked in server.asked]
    assert (reply.text, modes) == ("Two parts.", [True, False])
    assert reply.usage == Usage(prompt=20, completion=14)


def test_thinking_that_eats_the_whole_budget_is_asked_again_without_thinking() -> None:
    with FakeServer(answers=[Answer("", "I think.", finish="length"), Answer("Two parts.")]) as server:
        assert ask(end(server), ASKED).text == "Two parts."
        assert len(server.asked) == 2


def test_it_is_not_asked_for_ever_and_the_fault_has_the_cost_of_all_tries() -> None:
    used = {"prompt_tokens": 10, "completion_tokens": 7, "cost": 0.5}
    with FakeServer(answers=[Answer("", usage=used)]) as server:
        with pytest.raises(Fault, match="nothing in it") as raised:
            ask(end(server), ASKED)
        assert len(server.asked) == TRIES
    assert raised.value.usage == Usage(prompt=30, completion=21, cost=1.5)


def test_an_answer_that_is_no_json_is_asked_again_without_thinking_and_kept_when_that_fails() -> None:
    asked = Request(ASKED.messages, schema=SCHEMA)
    with FakeServer(answers=["A plan, you say?", '{"tasks": []}']) as server:
        assert ask(end(server), asked).text == '{"tasks": []}'
        server.answer_with(["A plan, you say?", Answer("", finish="stop")])
        reply = ask(end(server), asked)
    assert reply.text == "A plan, you say?"
    assert reply.usage.prompt > 0


def test_in_instant_mode_an_answer_is_not_asked_for_twice() -> None:
    with FakeServer(answers=["A plan, you say?"]) as server:
        assert ask(end(server), Request(ASKED.messages, mode=Mode.INSTANT, schema=SCHEMA)).text == "A plan, you say?"
        server.answer_with([Answer("", "I think.")])
        with pytest.raises(Fault, match="inside its thinking"):
            ask(end(server), Request(ASKED.messages, mode=Mode.INSTANT))
        assert len(server.asked) == 2


def test_a_server_that_takes_no_schema_is_asked_in_words() -> None:
    with FakeServer("openai", ['{"tasks": []}']) as server:
        server.behave("schema_refused", times=1)
        reply = ask(end(server), Request(ASKED.messages, schema={"title": "a plan"}))
        assert reply.text == '{"tasks": []}'
        assert "response_format" not in server.asked[1].body
        assert '{"title": "a plan"}' in server.asked[1].body["messages"][-1]["content"]


def test_a_model_that_sees_no_images_is_asked_without_them() -> None:
    with FakeServer(answers=["I cannot see it."], sees=False) as server:
        asked = Request((Message("user", "What is this?", images=("data:image/png;base64,AA==",)),))
        assert ask(end(server), asked).text == "I cannot see it."
        assert "not shown here" in server.asked[1].body["messages"][0]["content"]


def test_a_fault_keeps_what_came_of_the_answer() -> None:
    with FakeServer(answers=[Answer("", "I think.")]) as server, pytest.raises(Fault) as raised:
        ask(end(server), ASKED)
    assert raised.value.raw["choices"][0]["message"]["reasoning"] == "I think."


def test_a_server_is_told_by_a_reset_that_its_answer_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        asked = Exchange(
            Endpoint("sglang", f"http://127.0.0.1:{door.getsockname()[1]}/v1", "m"), "/x", {}, streams=True
        )
        taken, _ = door.accept()
        with taken:
            taken.recv(65_536)
            asked.leave()
            # Of what may come only a fault is waited for: the end of reading alone is none.
            waits = select.poll()
            waits.register(taken, 0)
            assert waits.poll(5_000)


@pytest.mark.parametrize("piece", ["!", "wait, ", "\n", "两"])
def test_a_model_that_goes_round_in_circles_is_left_while_it_does(piece: str) -> None:
    endless = (line({"reasoning_content": piece * 20}) for _ in count())

    class Endless(list[str]):
        def __iter__(self) -> Any:
            return endless

    with FakeServer(answers=[Answer(events=Endless())]) as server:
        with pytest.raises(Fault) as raised:
            ask(end(server), Request(ASKED.messages, mode=Mode.INSTANT))
        server.wait_until(lambda: server.asked[0].left)
    assert raised.value.kind is FaultKind.MALFORMED
    assert raised.value.usage.completion > 0
    assert raised.value.usage.estimated


def test_white_space_without_end_after_an_answer_is_cut_off_and_the_answer_kept() -> None:
    with FakeServer(answers=[Answer('{"tasks": []}' + " " * 100_000)], piece=50) as server:
        reply = ask(end(server), Request(ASKED.messages, schema=SCHEMA))
        assert len(server.asked) == 1
    assert reply.text == '{"tasks": []}'


@pytest.mark.parametrize(
    ("behaviour", "times", "words"),
    [
        ({"mode": "hang"}, {"first": 0.2}, "began no answer within 0.2"),
        ({"mode": "stall", "after": 0}, {"first": 0.2}, "began no answer within 0.2"),
        ({"mode": "stall", "after": 3}, {"between": 0.2}, "fell silent for 0.2"),
        ({"mode": "slow", "seconds": 0.05}, {"total": 0.4}, "not complete within 0.4"),
    ],
)
def test_each_patience_ends_the_call_and_closes_the_connection(
    behaviour: dict[str, Any], times: dict[str, float], words: str
) -> None:
    with FakeServer(answers=["Two parts. " * 40]) as server:
        server.behave(**behaviour)
        began = time.monotonic()
        with pytest.raises(Fault, match=words) as raised:
            ask(end(server, **times), ASKED)
        assert time.monotonic() - began < 5
        server.wait_until(lambda: server.asked[0].left)
    assert raised.value.kind is FaultKind.SLOW


def test_signs_of_life_without_a_token_are_no_progress() -> None:
    with FakeServer("openrouter", answers=[Answer(events=[": OPENROUTER PROCESSING", line({})] * 200)]) as server:
        server.behave("slow", seconds=0.02)
        with pytest.raises(Fault, match="began no answer"):
            ask(end(server, first=0.3), ASKED)


def test_without_streaming_only_the_total_counts() -> None:
    with FakeServer(answers=["Two parts."]) as server:
        server.behave("slow", seconds=0.5)
        assert ask(end(server, first=0.1, between=0.1, total=5.0), ASKED, streaming=False).text == "Two parts."
        with pytest.raises(Fault, match=r"not complete within 0\.2"):
            ask(end(server, total=0.2), ASKED, streaming=False)


def test_a_slow_stream_that_keeps_coming_is_waited_for() -> None:
    with FakeServer(answers=["Two parts, and then three."]) as server:
        server.behave("slow", seconds=0.05)
        assert ask(end(server, first=5.0, between=5.0), ASKED).text == "Two parts, and then three."


def test_a_server_that_hangs_after_its_last_word_has_answered() -> None:
    pieces = [line({"content": "Two parts."}), line({}, "stop"), line({}), line({})]
    with FakeServer(answers=[Answer(events=pieces)]) as server:
        server.behave("stall", after=2)
        reply = ask(end(server, between=0.2), ASKED)
        server.wait_until(lambda: server.asked[0].left)
    assert reply.text == "Two parts."
    assert reply.usage.estimated


@pytest.mark.parametrize(
    "behaviour", [{"mode": "hang"}, {"mode": "stall", "after": 4}, {"mode": "slow", "seconds": 0.1}]
)
@pytest.mark.parametrize("streaming", [True, False])
def test_what_is_not_wanted_any_more_is_left_within_a_second_and_the_server_sees_it(
    behaviour: dict[str, Any], streaming: bool
) -> None:
    with FakeServer(answers=["Two parts. " * 100]) as server:
        server.behave(
            **({"mode": "slow", "seconds": 30} if behaviour["mode"] == "slow" and not streaming else behaviour)
        )
        wanted = threading.Event()
        wanted.set()
        raised: list[Fault] = []

        def asks() -> None:
            try:
                ask(end(server), ASKED, wanted=wanted.is_set, streaming=streaming)
            except Fault as fault:
                raised.append(fault)

        asking = threading.Thread(target=asks)
        asking.start()
        server.wait_until(lambda: len(server.asked) == 1)
        wanted.clear()
        since = time.monotonic()
        asking.join(60)
        assert time.monotonic() - since < 2
        server.wait_until(lambda: server.asked[0].left)
    assert [fault.kind for fault in raised] == [FaultKind.ABORTED]


def test_what_nobody_wants_is_not_even_asked() -> None:
    with FakeServer() as server:
        with pytest.raises(Fault) as raised:
            ask(end(server), ASKED, wanted=lambda: False)
        assert raised.value.kind is FaultKind.ABORTED
        assert not server.asked


def test_a_server_that_is_killed_in_mid_stream_is_unreachable_and_can_be_asked_again_when_it_is_back() -> None:
    with FakeServer(answers=["Two parts. " * 100]) as server:
        server.behave("stall", after=4)

        def kill_when_asked() -> None:
            server.wait_until(lambda: bool(server.asked))
            server.kill()

        killer = threading.Thread(target=kill_when_asked)
        killer.start()
        with pytest.raises(Fault) as raised:
            ask(end(server), ASKED)
        killer.join()
        assert raised.value.kind is FaultKind.UNREACHABLE
        server.behave()
        server.start()
        assert ask(end(server), ASKED).text.startswith("Two parts.")


def test_no_thread_stays_behind() -> None:
    with FakeServer(answers=["Two parts."]) as server:
        for mode in ("ok", "stall", "hang", "503", "cut"):
            server.behave(mode)
            try:
                ask(end(server, first=0.1, between=0.1), ASKED)
            except Fault:
                continue
        for thread in threading.enumerate():
            if thread.name == "model-exchange":
                thread.join(60)
                assert not thread.is_alive()


def test_many_may_ask_at_once() -> None:
    with FakeServer(answers=lambda body: body["messages"][0]["content"].upper()) as server:
        said: dict[int, str] = {}

        def asks(number: int) -> None:
            said[number] = ask(end(server), Request((Message("user", f"part {number}"),))).text

        threads = [threading.Thread(target=asks, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert said == {number: f"PART {number}" for number in range(20)}
