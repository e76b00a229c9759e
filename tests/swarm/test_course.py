"""When a turn is over."""

from __future__ import annotations

import pytest

from agents.llm.base import Usage
from agents.swarm.course import Course, Deed, End, round_of
from agents.swarm.limits import Limits
from tests.swarm.play import Clock

LIMITS = Limits(steps=20, tokens=1000, seconds=60.0, repeats=3, idle=4, failing=4, refused=2)


def course() -> Course:
    return Course(LIMITS, Clock())


def deed(name: str, result: str = "fine", **more: object) -> Deed:
    return Deed((name,), (result,), **more)  # type: ignore[arg-type]


def test_a_turn_goes_on_while_something_new_is_done() -> None:
    under_way = course()
    for number in range(19):
        under_way.took(deed(f"read {number}"))
        assert under_way.over() is None
    under_way.took(deed("read 19"))
    assert under_way.over() is End.STEPS


def test_the_same_call_with_the_same_outcome_is_no_progress_and_with_another_outcome_it_is() -> None:
    same, other = course(), course()
    for number in range(3):
        assert same.over() is None
        same.took(deed("read_board"))
        other.took(deed("read_board", f"seq {number}"))
    assert (same.over(), other.over()) == (End.NO_PROGRESS, None)
    assert "3 times in a row" in same.why


def test_the_same_words_again_are_no_progress_however_they_are_spaced() -> None:
    under_way = course()
    for words in ("I will  now begin.", "i will now begin.", "I will now begin."):
        under_way.took(Deed(words=words))
    assert under_way.over() is End.NO_PROGRESS


def test_a_circle_of_steps_is_no_progress() -> None:
    under_way = course()
    for name in "abcabcabc":
        assert under_way.over() is None
        under_way.took(deed(name))
    assert under_way.over() is End.NO_PROGRESS
    assert "circle of 3" in under_way.why


def test_words_that_differ_each_time_but_do_nothing_end_it_too() -> None:
    under_way = course()
    for number in range(4):
        under_way.took(Deed(words=f"nonsense {number}"))
    assert under_way.over() is End.NO_PROGRESS


def test_steps_of_which_every_call_fails_end_it_and_one_that_works_begins_the_count_anew() -> None:
    under_way = course()
    for number in (0, 1, 2, 3, 4, 5, 6):
        under_way.took(deed(f"call {number}", failed=0 if number == 2 else 1))
        assert (under_way.over() is None) == (number < 6)
    assert under_way.over() is End.NO_PROGRESS


def test_who_says_done_again_and_again_without_a_result_is_ended() -> None:
    under_way = course()
    for number in range(2):
        under_way.took(deed(f"finish {number}", refused=True, failed=1))
    assert under_way.over() is End.NO_PROGRESS


def test_tokens_are_counted_with_cached_ones_at_a_sixth() -> None:
    under_way = course()
    under_way.spent(Usage(prompt=1200, cached=1200, completion=799))
    assert under_way.over() is None
    under_way.spent(Usage(completion=1))
    assert under_way.over() is End.TOKENS


def test_time_is_over_when_the_clock_says_so() -> None:
    clock = Clock()
    under_way = Course(LIMITS, clock)
    clock.now = 59.9
    assert under_way.over() is None
    clock.now = 60.0
    assert under_way.over() is End.TIME


def test_a_result_that_is_there_counts_before_everything_else() -> None:
    under_way = course()
    for _ in range(20):
        under_way.took(deed("same"))
    under_way.done()
    assert under_way.over() is End.DONE


@pytest.mark.parametrize(
    ("marks", "length"), [("aaa", 1), ("ababab", 2), ("xabab", 0), ("abcdabcdabcd", 4), ("abcdeabcdeabcde", 0), ("", 0)]
)
def test_the_shortest_round_at_the_end_is_found(marks: str, length: int) -> None:
    assert round_of(list(marks), 3) == length
