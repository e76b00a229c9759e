"""Tests of a difference with line numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.numbered_diff import MOST_FOLDED, MOST_SHOWN, numbered

LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=30).map("\n".join)


def test_what_changed_stands_beside_what_was_there_with_both_numbers() -> None:
    found = numbered("one\ntwo\nthree\n", "one\n2\nthree\nfour\n")
    changed = [part for part in found.passages if part.kind == "changed"]
    assert changed[0].left == ((2, "two"),)
    assert changed[0].right == ((2, "2"),)
    assert changed[1].right == ((4, "four"),)
    assert (found.added, found.removed) == (2, 1)


def test_long_stretches_that_are_alike_are_folded_and_the_fold_says_how_many_lines_it_holds() -> None:
    same = [f"line {n}" for n in range(1000)]
    found = numbered("\n".join([*same, "old", *same]), "\n".join([*same, "new", *same]))
    folds = [part for part in found.passages if part.kind == "folded"]
    assert [fold.count for fold in folds] == [997, 997]
    assert all(len(fold.left) == MOST_FOLDED for fold in folds)


def test_a_new_file_is_only_added_and_an_emptied_one_only_taken_out() -> None:
    assert (numbered("", "a\nb\n").added, numbered("", "a\nb\n").removed) == (2, 0)
    assert (numbered("a\nb\n", "").added, numbered("a\nb\n", "").removed) == (0, 2)
    assert numbered("", "").passages == ()


def test_of_texts_that_differ_all_over_the_beginning_is_shown_and_the_rest_counted() -> None:
    found = numbered("\n".join(f"old {n}" for n in range(9000)), "\n".join(f"new {n}" for n in range(9000)))
    assert sum(len(part.left) for part in found.passages) == MOST_SHOWN
    assert found.passages[-1].kind == "more"
    assert found.passages[-1].count == 2 * (9000 - MOST_SHOWN)


@given(LINES, LINES)
def test_both_texts_can_be_read_off_line_by_line(before: str, after: str) -> None:
    found = numbered(before, after)
    for text, side in ((before, "left"), (after, "right")):
        lines = [line for part in found.passages for line in getattr(part, side)]
        assert [number for number, _ in lines] == list(range(1, len(lines) + 1))
        assert [line for _, line in lines] == (text.removesuffix("\n").split("\n") if text else [])
