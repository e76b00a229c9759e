"""What changed in a text, for a brief: exact, and bounded however much changed."""

from __future__ import annotations

import pytest

from clawgroups.core.differences import MAX_LINES, difference, is_text


def test_a_text_that_is_the_same_has_no_difference() -> None:
    assert difference("a\nb\n", "a\nb\n", 1000) == ""


def test_lines_that_went_and_came_are_shown_with_what_is_around_them() -> None:
    assert difference("a\nb\nc", "a\nB\nc", 1000).splitlines() == [
        "--- before", "+++ after", "@@ -1,3 +1,3 @@", " a", "-b", "+B", " c",
    ]  # fmt: skip


def test_a_difference_of_line_ends_alone_is_said_to_be_that() -> None:
    assert "only line ends" in difference("a\nb", "a\nb\n", 1000)


def test_what_is_beyond_the_limit_is_cut_and_counted() -> None:
    said = difference("", "\n".join(f"line {n}" for n in range(500)), 300)
    assert len(said) < 400
    assert said.endswith("more lines differ)")


def test_a_very_long_text_is_counted_and_not_compared() -> None:
    old = "\n".join(f"row {n}" for n in range(MAX_LINES + 1))
    said = difference(old, old.replace("row 7\n", "row seven\n"), 10_000)
    assert said == f"(too long to show: {MAX_LINES + 1} lines became {MAX_LINES + 1}; 1 went and 1 are new)"


@pytest.mark.parametrize(("name", "text"), [("a.csv", True), ("A.MD", True), ("a.xlsx", False), ("a", False)])
def test_text_files_are_known_by_their_names(name: str, text: bool) -> None:
    assert is_text(name) is text
