"""The three modes reach the model's template, and what is streamed adds up to an answer."""

from __future__ import annotations

import dataclasses

from agents.llm import client
from agents.llm.base import Message, Mode
from tests.model.conftest import MODES, Talk, answered
from tests.model.serving.launch import ModelServer

ASKED = "The report waits for the figures by region."


def test_it_thinks_when_it_should_and_answers_at_once_when_it_should_not(talk: Talk) -> None:
    thinking, preserving, instant = (talk.ask(ASKED, mode=mode) for mode in MODES)
    assert instant.text
    assert not instant.reasoning
    assert not instant.usage.reasoning
    for reply in (thinking, preserving):
        assert reply.reasoning
        assert reply.text
        assert 0 < reply.usage.reasoning < reply.usage.completion


def test_the_template_closes_the_thought_of_an_instant_turn_in_the_prompt(talk: Talk) -> None:
    thinking, _, instant = (talk.ask(ASKED, mode=mode) for mode in MODES)
    assert instant.usage.prompt == thinking.usage.prompt + 1


def test_only_preserve_thinking_keeps_the_thoughts_of_earlier_turns_in_the_prompt(talk: Talk) -> None:
    before = Message("assistant", "A table sums up two sources.", reasoning="There is much to think about here. " * 10)
    thinking, preserving, instant = (talk.ask(ASKED, before, "Once more.", mode=mode) for mode in MODES)
    assert preserving.usage.prompt >= thinking.usage.prompt + 50
    assert instant.usage.prompt == thinking.usage.prompt + 1


def test_thoughts_are_kept_apart_from_the_answer_and_leave_no_marks_in_it(talk: Talk) -> None:
    for streaming in (True, False):
        reply = talk.ask(ASKED, streaming=streaming)
        assert "think>" not in reply.text + reply.reasoning
        assert "<|" not in reply.text + reply.reasoning
        assert reply.reasoning not in reply.text


def test_a_streamed_answer_comes_in_pieces_and_is_the_whole_one(talk: Talk, server: ModelServer) -> None:
    streamed = talk.ask(ASKED)
    whole = talk.ask(ASKED, streaming=False)
    assert (streamed.text, streamed.reasoning) == (whole.text, whole.reasoning)
    assert streamed.usage.completion == whole.usage.completion
    # The first token came well before the last one.
    assert 0 < streamed.first < streamed.took
    assert streamed.model == whole.model == server.name


def test_the_same_question_has_the_same_answer_after_the_conversation_has_gone_on(talk: Talk) -> None:
    first = talk.ask(ASKED)
    after = talk.ask(ASKED, answered(first), "And then?")
    assert after.text
    assert dataclasses.replace(talk.ask(ASKED), usage=first.usage, raw={}, first=0, took=0) == dataclasses.replace(
        first, raw={}, first=0, took=0
    )


def test_a_mode_is_told_by_the_words_that_the_server_reads(talk: Talk) -> None:
    """Others are passed over in silence: it thinks although it was told not to."""
    deaf = dataclasses.replace(talk.endpoint, extra={"temperature": 0, "chat_template_kwargs": None})
    hosted = dataclasses.replace(deaf, extra={**deaf.extra, "thinking": {"type": "disabled"}})
    assert client.ask(hosted, talk.request(ASKED, mode=Mode.INSTANT)).reasoning
