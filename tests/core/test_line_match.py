"""What is equal in two texts is found in bounded time, whatever an agent or a person puts into them."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.line_match import passages
from clawgroups.core.numbered_diff import numbered
from clawgroups.core.side_by_side import side_by_side

LINES = st.lists(st.sampled_from("abc"), max_size=30)


def woven(common: str, other: str, number: int) -> list[str]:
    """Every second line is the same everywhere; the rest stands nowhere else."""
    return [common if n % 2 else f"{other}{n}" for n in range(number)]


@given(LINES, LINES)
def test_passages_cover_both_sides_in_order_and_what_is_called_equal_is(one: list[str], other: list[str]) -> None:
    left, right = 0, 0
    for kind, a, b, c, d in passages(one, other, lambda _a, _b: True):
        assert (a, c) == (left, right)
        assert (kind == "equal") <= (one[a:b] == other[c:d])
        left, right = b, d
    assert (left, right) == (len(one), len(other))


def test_what_does_not_fit_is_one_passage_between_the_equal_ends() -> None:
    assert passages(["a", "x", "b"], ["a", "y", "z", "b"], lambda _a, _b: False) == [
        ("equal", 0, 1, 0, 1),
        ("replace", 1, 2, 1, 3),
        ("equal", 2, 3, 3, 4),
    ]


@pytest.mark.parametrize(("left", "right"), [(1000, 998), (100, 9700), (1990, 199)])
def test_a_line_that_stands_everywhere_does_not_take_the_machine(left: int, right: int) -> None:
    one, other = ["p", *woven("}", "x", left), "s"], ["q", *woven("}", "y", right), "t"]
    begun = process_time()
    side_by_side("\n".join(one), "\n".join(other))
    numbered("\n".join(one), "\n".join(other))
    assert process_time() - begun < 4  # it took twenty seconds


def test_a_change_among_many_alike_lines_is_still_found_where_it_is() -> None:
    one = [line for n in range(300) for line in (f"def f{n}():", "    return", "")]
    other = [*one[:450], "def new():", "    return", "", *one[450:]]
    found = [row for row in passages(one, other, lambda _a, _b: True) if row[0] != "equal"]
    assert [(kind, b - a, d - c) for kind, a, b, c, d in found] == [("insert", 0, 3)]
