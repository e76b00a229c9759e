"""An answer that is the JSON that was asked for is not touched, even where its strings hold a model's own marks."""

from __future__ import annotations

import json

import pytest

from agents.llm.base import Message, Request
from agents.llm.repair import mend

ASKED = Request((Message("user", "Plan."),), schema={"type": "object"})
STRINGS = (
    "now.<|tool_call_begin|>functions.read_file:0",
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.a:0<|tool_call_argument_begin|>",
    "</think> and [EOS] and <|im_end|>",
)


@pytest.mark.parametrize("string", STRINGS)
def test_json_that_parses_is_left_as_it_came(string: str) -> None:
    text = json.dumps({"goal": string, "tasks": [{"key": "t1", "title": string}]})
    mended = mend(ASKED, text, "Thought.", (), "stop")
    assert mended.text == text
    assert mended.reasoning == "Thought."


def test_marks_around_it_still_go() -> None:
    assert mend(ASKED, 'Well.</think>{"goal": "a"}<|im_end|>', "", (), "stop").text == '{"goal": "a"}'
