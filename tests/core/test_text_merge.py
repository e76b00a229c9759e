"""Two texts that were changed apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.text_merge import MOST_SHOWN, diff, merge

MARKS = ("[theirs]", "[mine]")


def kinds(before: str, after: str) -> list[tuple[str, str]]:
    return [(line.kind, line.text) for line in diff(before, after)]


def test_a_difference_shows_what_changed_with_a_little_around_it() -> None:
    before = "\n".join(f"line {n}" for n in range(20))
    after = before.replace("line 9\n", "line nine\n")
    assert kinds(before, after) == [
        ("gap", "7"),
        ("same", "line 7"),
        ("same", "line 8"),
        ("out", "line 9"),
        ("in", "line nine"),
        ("same", "line 10"),
        ("same", "line 11"),
        ("gap", "8"),
    ]
    assert diff(before, before) == []


def test_a_long_line_is_shown_where_it_begins_to_differ() -> None:
    lines = diff("a" * 5000 + "b" + "c" * 5000, "a" * 5000 + "B" + "c" * 5000)
    assert [line.kind for line in lines] == ["out", "in"]
    assert all(len(line.text) < 2100 for line in lines)
    assert "B" in lines[1].text


def test_a_very_long_difference_ends_with_a_gap() -> None:
    lines = diff("\n".join(map(str, range(50_000))), "\n".join(map(str, range(1, 60_000, 7))))
    assert len(lines) == MOST_SHOWN + 1
    assert lines[-1].kind == "gap"


def test_changes_in_different_places_are_put_together() -> None:
    both = merge("one\ntwo\nthree", "ONE\ntwo\nthree", "one\ntwo\nthree\nfour", MARKS)
    assert (both.text, both.clean) == ("ONE\ntwo\nthree\nfour", True)


def test_of_one_place_that_both_changed_both_stand_there() -> None:
    both = merge("one\ntwo\nthree", "one\nmine\nthree", "one\ntheirs\nthree", MARKS)
    assert (both.text, both.clean) == ("one\n[theirs]\ntheirs\n[mine]\nmine\nthree", False)


def test_without_a_common_beginning_what_is_equal_stands_once() -> None:
    assert merge(None, "a\nmine\nz", "a\nz\ntheirs", MARKS).text == "a\nmine\nz\ntheirs"


texts = st.lists(st.sampled_from("abc"), max_size=8).map("\n".join)


@given(texts, texts, texts)
def test_no_line_of_either_is_lost(base: str, mine: str, other: str) -> None:
    said = merge(base, mine, other, MARKS).text.split("\n")
    added = [line for text in (mine, other) for line in text.split("\n") if line not in base.split("\n")]
    assert set(added) <= set(said)
    assert merge(base, mine, base, MARKS).text == mine
    assert merge(base, base, other, MARKS).text == other
    assert merge(base, mine, mine, MARKS).text == mine
