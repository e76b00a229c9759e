"""Calls of tools over several rounds: ids that count on, arguments that fit, thoughts that stay."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from agents.llm import client
from agents.llm.base import Message, Mode, Reply, Tool, ToolCall
from tests.model.conftest import Talk, answered


def schema(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


AGENT = {"type": "string", "maxLength": 20}
TOOLS = {
    tool.name: tool
    for tool in (
        Tool("assign_task", "Give a task to a member.", schema(agent=AGENT, priority={"enum": ["low", "high"]})),
        Tool("read_file", "Read a part of a file.", schema(path=AGENT, lines={"type": "integer", "maximum": 99})),
        Tool("ask_person", "Ask somebody and wait.", schema(question=AGENT)),
    )
}
ROUNDS = 4


def check(calls: tuple[ToolCall, ...], before: int) -> None:
    """Each call has the next number of its conversation, a name that exists, and arguments that fit."""
    assert calls
    assert [call.id for call in calls] == [f"functions.{call.name}:{before + at}" for at, call in enumerate(calls)]
    for call in calls:
        jsonschema.validate(json.loads(call.arguments), dict(TOOLS[call.name].parameters))


def results(reply: Reply) -> list[Message]:
    return [Message("tool", f"{call.name} is done.", call_id=call.id) for call in reply.calls]


@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
def test_calls_over_several_rounds_have_ids_that_count_on(talk: Talk, streaming: bool) -> None:
    said: list[Message | str] = []
    calls = 0
    for number in range(ROUNDS):
        said.append(f"Step {number}: the writer needs the figures.")
        reply = talk.ask(*said, tools=tuple(TOOLS.values()), streaming=streaming)
        assert reply.finish == "tool_calls"
        check(reply.calls, calls)
        calls += len(reply.calls)
        said += [answered(reply), *results(reply)]
        closing = talk.ask(*said, tools=tuple(TOOLS.values()), streaming=streaming)
        if closing.calls:
            # It may go on calling; then this is one more round.
            check(closing.calls, calls)
            calls += len(closing.calls)
            said += [answered(closing), *results(closing)]
        else:
            said.append(answered(closing))
    assert calls >= ROUNDS


def test_ids_of_another_provider_do_not_disturb_the_next_calls(talk: Talk) -> None:
    foreign = ToolCall("call_8f3a", "read_file", '{"path": "orders.csv", "lines": 9}')
    said: list[Message | str] = [
        "Read it.",
        Message("assistant", "", calls=(foreign,)),
        Message("tool", "9 lines", call_id="call_8f3a"),
    ]
    reply = talk.ask(*said, Message("assistant", "I have read it."), "Again.", tools=tuple(TOOLS.values()))
    check(reply.calls, 1)


def test_the_order_in_which_tools_are_given_does_not_cost_the_prefix(talk: Talk) -> None:
    tools = tuple(TOOLS.values())
    first = talk.ask("The plan is ready.", tools=tools)
    second = talk.ask("The plan is ready.", tools=tools[::-1])
    assert first.usage.prompt == second.usage.prompt
    assert second.usage.cached >= second.usage.prompt - 1


def test_it_may_call_without_a_thought(talk: Talk) -> None:
    reply = talk.ask("The writer needs the figures.", tools=tuple(TOOLS.values()), mode=Mode.INSTANT)
    check(reply.calls, 0)
    assert not reply.reasoning


def test_history_with_arguments_that_are_no_json_is_mended_before_it_is_sent(talk: Talk) -> None:
    """The server would refuse the whole conversation for it."""
    broken = ToolCall("functions.read_file:0", "read_file", '{"path": "orders')
    said: list[Message | str] = [
        "Read.",
        Message("assistant", "", calls=(broken,)),
        Message("tool", "no", call_id=broken.id),
    ]
    reply = client.ask(talk.endpoint, talk.request(*said, tools=tuple(TOOLS.values())))
    assert reply.text or reply.calls
