"""Conversations over several rounds, as servers must get them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agents.llm.base import Message, Mode, Request, Tool, ToolCall
from agents.llm.client import ask
from agents.llm.history import NO_ANSWER, mended
from agents.llm.providers import body
from tests.llm.fake_server import FakeServer
from tests.llm.questions import as_text, endpoint

TOOL = Tool("assign_task", "Gives a task.", {"type": "object", "properties": {"agent": {"type": "string"}}})


def call(own: str, name: str = "assign_task", arguments: str = "{}") -> ToolCall:
    return ToolCall(own, name, arguments)


def asked(*calls: ToolCall) -> Message:
    return Message("assistant", "", calls=calls)


def answer(own: str, text: str = "done") -> Message:
    return Message("tool", text, call_id=own)


def ids(messages: list[Message]) -> list[str]:
    return [each.id for message in messages for each in message.calls]


def test_ids_count_over_the_whole_conversation_and_answers_follow_them() -> None:
    talk = [asked(call("a"), call("b", "make_agent")), answer("a"), answer("b"), asked(call("a")), answer("a", "twice")]
    kept = mended(talk, renumber=True)
    assert ids(kept) == ["functions.assign_task:0", "functions.make_agent:1", "functions.assign_task:2"]
    assert [message.call_id for message in kept if message.role == "tool"] == ids(kept)
    assert kept[-1].text == "twice"


def test_ids_in_kimis_form_stay_as_they_are() -> None:
    talk = [asked(call("functions.assign_task:0")), answer("functions.assign_task:0")]
    assert mended(talk, renumber=True) == talk


def test_without_renumbering_only_an_id_that_is_there_twice_is_rewritten() -> None:
    talk = [asked(call("call_9")), answer("call_9"), asked(call("call_9")), answer("call_9", "second")]
    kept = mended(talk, renumber=False)
    assert ids(kept) == ["call_9", "functions.assign_task:1"]
    assert (kept[-1].call_id, kept[-1].text) == ("functions.assign_task:1", "second")


def test_every_call_has_one_answer_in_the_order_of_the_calls() -> None:
    kept = mended([asked(call("a"), call("b"), call("c")), answer("c", "C"), answer("a", "A")], renumber=True)
    assert [message.text for message in kept[1:]] == ["A", NO_ANSWER, "C"]


def test_an_answer_to_no_call_is_kept_as_a_message_of_the_user() -> None:
    kept = mended([answer("gone", "the numbers"), Message("user", "Go on.")], renumber=True)
    assert [message.role for message in kept] == ["user", "user"]
    assert "the numbers" in kept[0].text


def test_arguments_that_are_no_json_object_are_not_sent_back() -> None:
    broken = ['{"agent": ', "", "null", "[]", '{"a": NaN}', "[" * 5000]
    kept = mended([asked(*(call(f"c{number}", arguments=text) for number, text in enumerate(broken)))], renumber=True)
    assert {each.arguments for each in kept[0].calls} == {"{}"}


def test_an_empty_message_of_the_assistant_is_left_out() -> None:
    talk = [Message("user", "Hi."), Message("assistant", " \n", reasoning="I stop."), Message("user", "Again.")]
    assert [message.text for message in mended(talk, renumber=True)] == ["Hi.", "Again."]


@given(
    st.lists(
        st.one_of(
            st.builds(Message, st.just("user"), st.text(max_size=5)),
            st.builds(
                Message,
                st.just("assistant"),
                st.text(max_size=3),
                calls=st.lists(
                    st.builds(ToolCall, st.sampled_from(["", "a", "b"]), st.text(max_size=4), st.text(max_size=4)),
                    max_size=3,
                ).map(tuple),
            ),
            st.builds(Message, st.just("tool"), st.text(max_size=3), call_id=st.sampled_from(["", "a", "b", "c"])),
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_any_conversation_becomes_one_that_servers_take(talk: list[Message], renumber: bool) -> None:
    kept = mended(talk, renumber=renumber)
    open_calls: list[str] = []
    for message in kept:
        if message.role == "tool":
            assert open_calls.pop(0) == message.call_id
        else:
            assert not open_calls
        open_calls += [each.id for each in message.calls]
        assert all(isinstance(json.loads(each.arguments), dict) for each in message.calls)
    assert not open_calls
    assert len(set(ids(kept))) == len(ids(kept))
    assert mended(kept, renumber=renumber) == kept
    told = sorted(message.text for message in talk if message.role == "tool")
    assert len(told) <= len([m for m in kept if m.role == "tool" or m.text.startswith("Answer of an earlier")])


def test_a_conversation_with_tools_over_rounds_grows_only_at_its_end() -> None:
    with FakeServer("sglang") as server:
        end = endpoint("sglang", server.url)
        messages: tuple[Message, ...] = (Message("system", "You coordinate."), Message("user", "Begin."))
        for number in range(4):
            reply = ask(end, Request(messages, mode=Mode.PRESERVE, tools=(TOOL,)))
            assert [each.id for each in reply.calls] == [f"functions.assign_task:{number}"]
            spoken = Message("assistant", reply.text, reply.reasoning, reply.calls)
            told = Message("tool", f"Given, {number}.", call_id=reply.calls[0].id)
            messages = (*messages, spoken, told, Message("user", "Next."))
        sent = [as_text(each.body["messages"]).rstrip("]\n") for each in server.asked]
        assert all(later.startswith(earlier.rstrip()) for earlier, later in pairwise(sent))
        assert {as_text(each.body["tools"]) for each in server.asked} == {as_text(server.asked[0].body["tools"])}


def test_foreign_ids_of_a_provider_before_are_taken_by_the_next_one() -> None:
    messages = (
        Message("user", "Begin."),
        asked(call("toolu_01"), call("toolu_02")),
        answer("toolu_02"),
        answer("toolu_01"),
    )
    for provider in ("sglang", "vllm", "moonshot", "openrouter"):
        with FakeServer(provider) as server:
            ask(endpoint(provider, server.url), Request(messages))
            assert "toolu" not in str(server.asked[0].body)


def test_reasoning_is_sent_back_in_each_providers_field_and_only_there() -> None:
    spoken = replace(asked(call("functions.assign_task:0")), reasoning="Two parts.")
    request = Request((Message("user", "Begin."), spoken, answer("functions.assign_task:0")))
    for provider, names in {
        "sglang": {"reasoning_content"},
        "vllm": {"reasoning"},
        "moonshot": {"reasoning_content"},
        "openrouter": {"reasoning_details"},
        "openai": set[str](),
    }.items():
        said = body(endpoint(provider), request)["messages"][1]
        assert said.keys() - {"role", "content", "tool_calls"} == names
