"""What counts as something new, however it is cut into pieces, and what only repeats itself."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.novelty import SEEN, TAIL, WINDOW, Memory, call_mark, plan_mark, step_mark

WORDS = [
    "north",
    "south",
    "sales",
    "region",
    "rose",
    "fell",
    "because",
    "customers",
    "weather",
    "price",
    "month",
    "table",
    "sum",
]


def prose(number: int, seed: int = 1) -> str:
    """Text as agents write it: the same words over and over, never the same sentences."""
    chance = random.Random(seed)
    return " ".join(f"{chance.choice(WORDS)}{chance.choice(['', ',', ' and'])}" for _ in range(number))


def pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def longest_pause(memory: Memory, text: str, size: int) -> int:
    """After how many characters without anything new at most there was something new again."""
    pause = worst = 0
    for piece in pieces(text, size):
        pause = 0 if memory.hear(piece, begins=False) else pause + len(piece)
        worst = max(worst, pause)
    return worst


@pytest.mark.parametrize("size", [1, 4, 37, 800, 5000])
def test_long_prose_is_progress_in_whatever_pieces_it_comes(size: int) -> None:
    memory = Memory()
    assert longest_pause(memory, prose(4000), size) <= WINDOW
    assert memory.repeats == 0


@pytest.mark.parametrize("size", [1, 4, 37, 800, 5000])
def test_the_same_text_over_and_over_is_none(size: int) -> None:
    memory, sentence = Memory(), "I shall now look at the table again, as the sum does not agree. "
    memory.hear(sentence, begins=True)
    heard = [memory.hear(piece, begins=False) for piece in pieces(sentence * 100, size)]
    assert not any(heard[-len(heard) // 2 :])
    if len(heard) > 5:
        assert memory.repeats >= 3


@pytest.mark.parametrize("message", ["ok", "Still waiting for the build.", prose(30), prose(1000)])
def test_the_same_message_again_and_again_is_soon_none(message: str) -> None:
    memory = Memory()
    said = [memory.hear(message, begins=True) for _ in range(WINDOW + 10)]
    assert said[0]
    assert not any(said[WINDOW:])
    assert memory.repeats >= 3


def test_a_message_is_known_again_after_others() -> None:
    memory, message = Memory(), prose(40, 7)
    memory.hear(message, begins=True)
    memory.hear(prose(200, 8), begins=True)
    assert not memory.hear(message[3:], begins=True)


@pytest.mark.parametrize("text", ["", " ", "\n\n\t"])
def test_nothing_is_nothing_new_and_no_repetition_either(text: str) -> None:
    memory = Memory()
    assert not any(memory.hear(text, begins=True) for _ in range(9))
    assert memory.repeats == 0


def test_a_new_thing_makes_good_for_all_repetitions() -> None:
    memory = Memory()
    for _ in range(5):
        memory.see("call", begins=True)
    assert memory.repeats == 4
    assert memory.see("another", begins=True)
    assert memory.repeats == 0


def test_an_identical_call_is_a_repetition_though_it_is_reported_in_steps() -> None:
    memory = Memory()
    detail = {"raw_input": {"path": "a.csv"}}
    seen = []
    for number in range(4):
        seen.append(memory.see(call_mark("read", "Read a.csv", detail), begins=True))
        for status in ("pending", "in_progress", "completed"):
            out = {**detail, "content": [{"type": "terminal", "terminalId": f"t{number}"}]}
            seen.append(memory.see(step_mark("read", "Read a.csv", status, out)))
    assert seen == [True] * 4 + [False] * 12
    assert memory.repeats == 3


def test_polling_is_progress_as_long_as_what_comes_of_it_changes() -> None:
    memory = Memory()
    for number in range(20):
        memory.see(call_mark("execute", "poll", {"raw_input": "status"}), begins=True)
        assert memory.see(step_mark("execute", "poll", "completed", {"raw_output": f"{number} % done"}))
    assert memory.repeats == 0


def test_different_calls_are_progress_each() -> None:
    memory = Memory()
    for number in range(1000):
        assert memory.see(call_mark("read", "Read", {"raw_input": {"line": number}}), begins=True)


def test_a_plan_is_new_once_and_again_when_a_line_of_it_is_ticked() -> None:
    memory = Memory()
    begun = [{"content": "Count", "status": "pending"}]
    done = [{"content": "Count", "status": "completed"}]
    marks = [plan_mark(begun), plan_mark(begun), plan_mark(done), plan_mark(begun)]
    assert [memory.see(mark, begins=True) for mark in marks] == [True, False, True, False]


def test_what_is_remembered_is_bounded() -> None:
    memory = Memory()
    for number in range(SEEN * 3):
        memory.see(str(number))
    memory.hear(prose(TAIL), begins=True)
    assert memory.see("0")
    assert len(memory._seen) == SEEN
    assert len(memory._tail) == TAIL


def test_a_copy_goes_its_own_way_and_what_is_recalled_is_known() -> None:
    memory = Memory(2)
    memory.recall(["I look at the table again and again, as it is ", "not clear."], ["one"])
    other = memory.copy()
    assert not memory.see("one", begins=True)
    assert not memory.hear("I look at the table again and again, as it is not clear.", begins=True)
    assert (memory.repeats, other.repeats) == (4, 2)
    assert other.see("two")
    assert memory.see("two")


@given(st.lists(st.text(string.ascii_letters + " \n", max_size=400), max_size=30))
def test_whatever_is_said_it_is_heard_without_a_fault(texts: list[str]) -> None:
    memory = Memory()
    for text in texts:
        memory.hear(text, begins=True)
    assert memory.repeats >= 0
