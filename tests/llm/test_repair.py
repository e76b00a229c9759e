"""The known failures of K2.6 and its servers (`T` names the thread), each with what is made of it."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from agents.llm.base import Fault, FaultKind, Message, Mode, Request, Tool, ToolCall
from agents.llm.history import in_words, unseen
from agents.llm.markers import thoughts_apart, without_marks
from agents.llm.repair import LOOP, Mended, again, goes_round, is_nan, json_of, mend

TOOLS = (Tool("assign_task", "", {}), Tool("make_agent", "", {}))
PLAIN = Request((Message("user", "Plan it."),))
WITH_TOOLS = Request(PLAIN.messages, tools=TOOLS)
BEGIN, END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"


def call(own: str, arguments: str = '{"agent": "a"}') -> str:
    return f"<|tool_call_begin|>{own}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>"


def mended(
    request: Request = PLAIN, text: str = "", reasoning: str = "", *calls: ToolCall, finish: str = "stop"
) -> Mended:
    return mend(request, text, reasoning, calls, finish)


def test_calls_lost_in_the_thinking_are_found() -> None:  # T sglang#18086, vllm#33646, Kimi-K2#89
    thoughts = f"I give it away. {BEGIN}{call('functions.assign_task:0')}{call('functions.make_agent:1', '{}')}{END}"
    found = mended(WITH_TOOLS, "", thoughts)
    assert found.calls == (
        ToolCall("functions.assign_task:0", "assign_task", '{"agent": "a"}'),
        ToolCall("functions.make_agent:1", "make_agent", "{}"),
    )
    assert (found.text, found.reasoning.strip(), found.finish) == ("", "I give it away.", "tool_calls")


def test_calls_left_in_the_answer_are_found_and_taken_out_of_it() -> None:
    found = mended(WITH_TOOLS, f"I give it away.{call('functions.assign_task:0')} Done.")
    assert (found.text, [each.name for each in found.calls]) == ("I give it away. Done.", ["assign_task"])


@pytest.mark.parametrize("own", ["assign_task", "assign_task:3", "functions.assign_task", " functions.assign_task:0 "])
def test_a_bare_id_names_its_tool(own: str) -> None:  # T sglang#25218
    assert mended(WITH_TOOLS, call(own)).calls[0].name == "assign_task"


@pytest.mark.parametrize(
    "text",
    [
        call("functions.no_such_tool:0"),
        call("call_2"),
        call("functions.assign_task:0", '{"agent": '),
        call("functions.assign_task:0", "[]"),
        "<|tool_call_begin|>functions.assign_task:0",
        f"{BEGIN}{END}",
    ],
)
def test_what_is_no_whole_call_of_a_known_tool_is_no_call(text: str) -> None:
    with pytest.raises(Fault) as raised:
        mended(WITH_TOOLS, text)
    assert raised.value.kind is FaultKind.MALFORMED
    assert mended(WITH_TOOLS, f"I stop here. {text}").calls == ()


def test_marks_leak_into_an_answer_without_tools_and_go() -> None:
    found = mended(PLAIN, f"Two parts.{BEGIN}{call('functions.assign_task:0')}{END}<|im_end|>[EOS]")
    assert (found.text, found.calls) == ("Two parts.", ())
    assert mended(PLAIN, "The mark <|tool_calls_section_begin|> opens.").text == "The mark  opens."


def test_lists_and_other_brackets_are_no_marks() -> None:
    text = "See [1], [EOSIO] and <|other|>."
    assert without_marks(text) == text


@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        ("<think>Two?</think>Two.", "Two?", "Two."),
        ("Two?</think>\n\nTwo.", "Two?", "Two."),
        ("<think>Two? Or", "Two? Or", ""),
        ('{"html": "</think>"}', "", '{"html": "</think>"}'),
        ("Plain.", "", "Plain."),
    ],
)
def test_thoughts_that_a_server_left_in_are_set_apart(text: str, thoughts: str, answer: str) -> None:
    assert thoughts_apart(text) == (thoughts, answer)


@pytest.mark.parametrize(
    ("reasoning", "finish", "words"),
    [
        ("", "stop", "nothing in it"),  # T sglang#23363
        ("I think.", "stop", "ended inside its thinking"),
        ("I think.", "length", "used up its output"),
        ("", "tool_calls", "nothing in it"),
    ],
)
def test_no_text_and_no_call_is_no_answer_whatever_the_server_calls_it(reasoning: str, finish: str, words: str) -> None:
    with pytest.raises(Fault, match=words) as raised:
        mended(PLAIN, " \n", reasoning, finish=finish)
    assert raised.value.kind is FaultKind.MALFORMED


@pytest.mark.parametrize("text", ["!!!!", "!" * 5000, "I think" + "!" * 300])
def test_exclamation_marks_alone_are_a_broken_server(text: str) -> None:  # T vllm#42426
    assert is_nan(text)
    for content, reasoning in ((text, ""), ("", text), ("Two parts.", text)):
        with pytest.raises(Fault, match="exclamation marks"):
            mended(PLAIN, content, reasoning)


@pytest.mark.parametrize("text", ["Done!", "Done!!!!", "!!!", "", "!! done !!"])
def test_a_cheerful_answer_is_none(text: str) -> None:
    assert not is_nan(text)


@pytest.mark.parametrize(
    "piece",
    [
        call("functions.assign_task:0"),
        call("functions.no_such_tool:0"),
        "<|tool_call_begin|>",
        BEGIN + END,
        BEGIN,
        "<think></think>",
        "{[",
        '{"a": ',
        "```json\n{",
        "<|im_end|>[EOS]",
        "! ",
    ],
)
def test_a_long_answer_of_marks_is_read_in_time_that_grows_with_its_length_only(piece: str) -> None:
    long = "".join(f"{piece}{number} " for number in range(2_000_000 // len(piece)))
    began = time.process_time()
    for text in (long, f"An answer: {long}"):
        for reads in (lambda text=text: mended(WITH_TOOLS, text), lambda text=text: json_of(text)):
            with contextlib.suppress(Fault):
                reads()
    assert time.process_time() - began < 10


@pytest.mark.parametrize("piece", ["a", "wait, ", "I should plan the report first. ", '{"key": "t0"}, ' * 9, "写"])
def test_an_answer_that_goes_round_in_circles_is_none(piece: str) -> None:  # T Kimi-K2.5#46
    text = "It begins well. " + piece * (LOOP // len(piece) + 400 // len(piece) + 1)
    assert goes_round(text)
    with pytest.raises(Fault, match="repeats itself"):
        mended(PLAIN, text)


def test_long_lists_of_like_things_are_no_circles() -> None:
    rows = "".join(f'{{"key": "t{number}", "title": "Count the rows"}}, ' for number in range(2000))
    assert not goes_round(rows)
    assert not goes_round("word " * 100)


@pytest.mark.parametrize(
    "ids", [("", ""), ("call_1", "call_1"), ("functions.assign_task:0", "functions.assign_task:1")]
)
def test_ids_that_are_missing_doubled_or_used_before_are_replaced(ids: tuple[str, str]) -> None:  # T sglang#25218
    before = Message("assistant", "", calls=(ToolCall("functions.assign_task:0", "assign_task", "{}"),))
    request = Request((*PLAIN.messages, before), tools=TOOLS)
    found = mended(request, "", "", *(ToolCall(own, "assign_task", "{}") for own in ids))
    assert [each.id for each in found.calls] == ["functions.assign_task:1", "functions.assign_task:2"]


def test_ids_that_are_well_stay_as_they_came() -> None:
    found = mended(WITH_TOOLS, "", "", ToolCall("call_7", "assign_task", "{}"))
    assert [each.id for each in found.calls] == ["call_7"]


@pytest.mark.parametrize(("finish", "said"), [("tool_calls", "stop"), ("", "stop"), ("length", "length")])
def test_the_end_is_told_from_what_there_is(finish: str, said: str) -> None:  # T vllm#43155
    assert mended(PLAIN, "Two parts.", finish=finish).finish == said


PLAN = {"tasks": [{"key": "t0"}]}


@pytest.mark.parametrize(
    "text",
    [
        '{"tasks": [{"key": "t0"}]}',
        ' \n\ufeff{"tasks": [{"key": "t0"}]}\n',
        '```json\n{"tasks": [{"key": "t0"}]}\n```',
        'Here it is:\n```\n{"tasks": [{"key": "t0"}]}\n``` Good luck!',
        '{"tasks": [{"key": "t0"}]} I hope this helps.',
        'As [1] says, the plan is {"tasks": [{"key": "t0"}]}.',
        'The plan { of two } parts: {"tasks": [{"key": "t0"}]}',
        '{"tasks": [{"key": "t0"}]}{"tasks": []}',
        '{"tasks": [{"key": "t0"}]}' + " " * 50_000,
    ],
)
def test_json_is_found_in_what_stands_around_it(text: str) -> None:
    assert json_of(text) == PLAN


@pytest.mark.parametrize(("text", "value"), [("[1, 2]", [1, 2]), ("See [1, {}].", [1, {}]), ("7", 7), ("null", None)])
def test_json_that_is_no_object_is_given_too(text: str, value: Any) -> None:
    assert json_of(text) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON in it"),
        ("I cannot do that.", "no JSON in it"),
        ('{"tasks": [{"key": "t0"}, {"key"', "cut off or broken"),
        ("{'tasks': []}", "cut off or broken"),
        ('```json\n{"tasks": [', "no JSON in it"),
        ('{"cost": NaN}', "cut off or broken"),
        ("[" * 200 + "]" * 200, "nested too deep"),
        ("[" * 100_000, "cut off or broken"),
        ("9" * 5000, "no JSON in it"),
    ],
)
def test_what_is_no_json_is_a_fault_that_says_why(text: str, words: str) -> None:
    with pytest.raises(Fault, match=words) as raised:
        json_of(text)
    assert raised.value.kind is FaultKind.MALFORMED


def test_strings_in_json_can_be_stored() -> None:
    assert json_of('{"a\\u0000": "\\ud83d", "b": 1e999}') == {"a\ufffd": "\ufffd", "b": None}


def test_the_next_form_of_a_question_is_instant_and_then_there_is_none() -> None:
    fault = Fault(FaultKind.MALFORMED, "It is empty.")
    following = again(PLAIN, fault)
    assert following is not None
    assert following.mode is Mode.INSTANT
    assert again(following, fault) is None


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.MALFORMED])
def test_after_other_faults_the_same_server_is_not_asked_at_once(kind: FaultKind) -> None:
    assert again(PLAIN, Fault(kind, "It is so.")) is None


def test_a_question_with_a_schema_can_be_put_in_words() -> None:
    asked = in_words(Request(PLAIN.messages, schema={"title": "a plan"}))
    assert asked.schema is None
    assert asked.messages[-1].text.startswith("Plan it.")
    assert '{"title": "a plan"}' in asked.messages[-1].text


def test_images_that_a_model_cannot_see_are_left_out_and_it_is_told() -> None:
    asked = Request((Message("user", "What is this?", images=("data:image/png;base64,AA==",)), *PLAIN.messages))
    following = again(asked, Fault(FaultKind.REQUEST, "This is not a multimodal model."))
    assert following == unseen(asked)
    assert following is not None
    assert following.messages[0].images == ()
    assert "sees none" in following.messages[0].text
    assert following.messages[1] == PLAIN.messages[0]
    assert again(following, Fault(FaultKind.REQUEST, "This is not a multimodal model.")) is None
