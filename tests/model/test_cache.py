"""The prefix cache counts for us: what was read once is not paid for again, and more so where thoughts are kept."""

from __future__ import annotations

from agents.llm.base import Message, Mode, Reply
from tests.model.conftest import Talk, answered

BRIEF = "The team counts the orders by region, and the report cites every source. " * 30


def share(reply: Reply) -> float:
    return reply.usage.cached / reply.usage.prompt


def conversation(talk: Talk, mode: Mode, turns: int) -> list[Reply]:
    """Some turns, each with all before it."""
    said: list[Message | str] = [BRIEF]
    replies: list[Reply] = []
    for number in range(turns):
        reply = talk.ask(*said, mode=mode)
        replies.append(reply)
        said += [answered(reply), f"Step {number} is done. The reader needs the next one."]
    return replies


def test_a_question_asked_again_is_read_from_the_cache(talk: Talk) -> None:
    first, second = talk.ask(BRIEF), talk.ask(BRIEF)
    assert first.usage.prompt == second.usage.prompt > 200
    assert share(first) < 0.1
    assert second.usage.cached >= second.usage.prompt - 1


def test_another_question_after_the_same_brief_pays_only_for_itself(talk: Talk) -> None:
    brief = Message("user", BRIEF)
    talk.ask(brief, Message("user", "Which region?"))
    other = talk.ask(brief, Message("user", "And in which month?"))
    assert share(other) > 0.85


def test_another_mode_does_not_cost_the_prefix(talk: Talk) -> None:
    talk.ask(BRIEF, mode=Mode.THINKING)
    assert share(talk.ask(BRIEF, mode=Mode.INSTANT)) > 0.95


def test_the_share_that_is_read_from_the_cache_grows_with_the_conversation(talk: Talk) -> None:
    shares = [share(reply) for reply in conversation(talk, Mode.PRESERVE, 5)]
    assert shares[0] < 0.1
    assert all(later > 0.9 for later in shares[1:])
    assert shares[-1] >= shares[1]


def test_with_thoughts_kept_the_whole_conversation_is_reused_and_without_them_not(talk: Talk) -> None:
    one, two, *_ = conversation(talk, Mode.PRESERVE, 2)
    # Up to the last token but one of the answer before.
    assert two.usage.cached >= one.usage.prompt + one.usage.completion - 1
    talk.system = Message("system", f"{talk.system.text} Without thoughts.")
    one, two, *_ = conversation(talk, Mode.THINKING, 2)
    assert one.usage.prompt - 2 <= two.usage.cached <= one.usage.prompt
