"""Words of notes, and which fit best: tables, without a database."""

from __future__ import annotations

from uuid import UUID

import pytest

from clawgroups.core.remembering import Candidate, best_first, indexed, looked_for, room_mark, within, words_of

ROOM, NOTE = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sums are in EUROS.", ["sum", "are", "in", "euro"]),
        ("Café, naïve — Straße", ["cafe", "naive", "strasse"]),
        ("snake_case and 5,200", ["snake", "case", "and", "5", "200"]),
        ("glass bus", ["glass", "bus"]),
        ("销售额用欧元", ["销售", "售额", "额用", "用欧", "欧元"]),
        ("2026年 报", ["2026", "年", "报"]),
        ("", []),
        ("\"; DROP TABLE notes; -- 'x' & | ! :*", ["drop", "table", "note", "x"]),
    ],
)
def test_words_are_compared_without_case_accents_and_plural(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_a_word_is_bounded_and_no_text_can_be_a_mark() -> None:
    assert words_of("a" * 500) == ["a" * 40]
    assert words_of(room_mark(ROOM)) == [ROOM.hex]
    said = indexed(NOTE, ROOM, "Currency", f"euros {room_mark(UUID(int=7))} euros")
    assert said.split(" ") == [room_mark(ROOM), f"\ue001{NOTE.hex}", "currency", "euro", UUID(int=7).hex]


def test_a_long_question_is_cut_to_its_first_words_each_once() -> None:
    assert looked_for("one two one " + " ".join(f"w{n}" for n in range(500)))[:3] == ("one", "two", "w0")
    assert len(looked_for(" ".join(f"w{n}" for n in range(500)))) == 60


def candidate(key: str, text: str, near: int = 0) -> Candidate[str]:
    return Candidate(key, key, indexed(NOTE, ROOM, key, text), near)


def order(found: list[Candidate[str]], query: str) -> list[str]:
    return [one.note for one in best_first(found, looked_for(query))]


def test_a_rare_word_says_more_than_a_common_one_and_one_of_the_key_more_than_one_of_the_text() -> None:
    found = [candidate("paper", "the report is on A4"), candidate("tone", "the report is friendly")]
    assert order(found, "which tone has the report") == ["tone", "paper"]
    assert order([candidate("a", "currency"), candidate("currency", "a")], "currency") == ["currency", "a"]


def test_the_beginning_of_a_word_finds_it() -> None:
    assert order([candidate("a", "nothing"), candidate("b", "quarterly sums")], "quarter") == ["b", "a"]
    assert order([candidate("a", "nothing"), candidate("b", "tabular")], "ta") == ["a", "b"]


def test_among_equals_what_is_nearer_comes_first_then_as_they_were_given() -> None:
    found = [candidate("one", "x"), candidate("two", "x"), candidate("own", "x", 1), candidate("task", "x", 2)]
    assert order(found, "x") == ["task", "own", "one", "two"]
    assert order(found, "zebra") == ["task", "own", "one", "two"]


def test_a_budget_takes_the_best_and_a_text_that_is_too_long_leaves_its_room_to_shorter_ones() -> None:
    texts = [("a", "x" * 36), ("long", "x" * 4000), ("b", "x" * 36), ("c", "x" * 36)]
    assert within(texts, 20) == (["a", "b"], 2)
    assert within(texts, 0) == ([], 4)
