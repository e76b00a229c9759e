"""Two texts beside each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.side_by_side import Row, side_by_side

CASES: list[tuple[str, str, list[Row]]] = [
    ("a\nb", "a\nb", []),
    ("", "", []),
    ("", "a", [Row(None, "a")]),
    ("a", "", [Row("a", None)]),
    ("a\nb", "a\nc", [Row("a", "a"), Row("b", "c")]),
    ("1\n2\n3\n4\n5\nx", "1\n2\n3\n4\n5\ny", [Row(None, None, 3), Row("4", "4"), Row("5", "5"), Row("x", "y")]),
    ("x\nb", "b", [Row("x", None), Row("b", "b")]),
]


@pytest.mark.parametrize(("before", "after", "rows"), CASES)
def test_rows(before: str, after: str, rows: list[Row]) -> None:
    assert side_by_side(before, after) == rows


def test_what_is_too_long_is_not_compared() -> None:
    assert side_by_side("a\n" * 1001, "b\n" * 1001) is None


LINES = st.lists(st.sampled_from("abc"), max_size=30)


@given(LINES, LINES)
def test_each_side_has_all_its_lines_in_order_and_nothing_is_said_of_equal_ones(
    left: list[str], right: list[str]
) -> None:
    rows = side_by_side("\n".join(left), "\n".join(right))
    assert rows is not None
    if left == right:
        assert rows == []
        return
    for lines, side in ((left, "left"), (right, "right")):
        seen = [getattr(row, side) for row in rows if getattr(row, side) is not None]
        assert len(seen) + sum(row.skipped for row in rows) == len(lines)
