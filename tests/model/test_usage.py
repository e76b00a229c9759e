"""The numbers that are billed by agree with each other and with the server's own counters."""

from __future__ import annotations

from agents.llm.base import Prices
from tests.model.conftest import MODES, Talk
from tests.model.serving.launch import ModelServer
from tests.stories.waiting import until

READ, WRITTEN = "sglang:prompt_tokens_total", "sglang:generation_tokens_total"
ASKED = "The budget needs a short list before noon."


def test_parts_are_within_their_wholes_streamed_or_not(talk: Talk) -> None:
    for mode in MODES:
        for streaming in (True, False):
            used = talk.ask(ASKED, mode=mode, streaming=streaming).usage
            assert 0 <= used.cached < used.prompt
            assert 0 <= used.reasoning <= used.completion
            assert used.completion > 0
            assert used.cost is None


def test_the_server_has_counted_the_same_tokens(talk: Talk, server: ModelServer) -> None:
    read, written = server.metric(READ), server.metric(WRITTEN)
    used = [talk.ask(f"{ASKED} {number}", mode=mode).usage for number, mode in enumerate(MODES)]
    prompt, completion = sum(one.prompt for one in used), sum(one.completion for one in used)

    def counted() -> bool:
        return (server.metric(READ) - read, server.metric(WRITTEN) - written) == (prompt, completion)

    until(counted, seconds=20, what=f"{prompt} tokens read and {completion} written in the server's figures")


def test_what_it_costs_follows_from_them(talk: Talk) -> None:
    talk.ask(ASKED)
    used = talk.ask(ASKED).usage
    prices = Prices(miss=0.95, hit=0.16, out=4.0)
    expected = (used.prompt - used.cached) * 0.95 + used.cached * 0.16 + used.completion * 4.0
    assert used.micro_usd(prices) == round(expected)
    assert used.micro_usd(prices) < used.prompt * 0.95 + used.completion * 4.0
