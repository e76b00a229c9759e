"""Talk among agents goes on while it is short and brings something new."""

from __future__ import annotations

import pytest

from clawgroups.core.talk import MOST_TURNS, Turn, held_up

LEARNED = [
    "The north sold 120 crates in May.",
    "Then June should be looked at: was it the weather or the price?",
    "June had 90 crates at a higher price, so the price it was.",
    "I have put both months beside each other in a table with their prices.",
    "The table lacks Bergen, whose stand was closed for repairs.",
    "Bergen is added now, with a note on the closed week.",
    "With it the average falls to 101 crates for every open day.",
]


def rally(*texts: str) -> list[Turn]:
    return [Turn("Scribe" if number % 2 else "Counter", text) for number, text in enumerate(texts)]


def test_talk_that_brings_something_new_goes_on() -> None:
    for length in range(1, len(LEARNED) + 1):
        assert held_up(rally(*LEARNED[:length])) == ""


def test_talk_ends_after_so_many_turns_however_good_it_is() -> None:
    texts = [f"Finding {number}: {LEARNED[number % 7]} {'abcdefghij'[number] * 9}" for number in range(MOST_TURNS)]
    assert held_up(rally(*texts[:-1])) == ""
    assert f"{MOST_TURNS} times" in held_up(rally(*texts))


def test_who_says_the_same_again_is_held_up_whatever_changes_around_it() -> None:
    again = "Counter, please check the sum of May: it must be 120 crates, please."
    said = [Turn("Scribe", again), Turn("Counter", "It is."), Turn("Scribe", again.replace("Counter, p", "Counter: P"))]
    assert held_up(said) == "Scribe says the same again."


@pytest.mark.parametrize(
    "texts",
    [
        ("Thank you!", "You are welcome, thank you!", "Thank you, you are welcome.", "Welcome you are, thank you."),
        ("ping one", "pong one", "ping one pong", "pong ping one"),
    ],
)
def test_two_who_answer_each_other_without_anything_new_are_held_up(texts: tuple[str, ...]) -> None:
    assert held_up(rally(*texts[:2])) == ""
    assert held_up(rally(*texts)) == "Counter and Scribe answer each other, and nothing new comes up."


def test_words_of_no_letters_are_no_news() -> None:
    assert held_up(rally("…", "!!!", "???")) != ""
