"""Text is cut to what a box has room for, measured without a browser."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from clawgroups.core.text_width import clipped, shortened, width_of, wrapped

TEXT = st.text(max_size=80)
WIDTH = st.floats(40, 400)


@settings(max_examples=40)
@given(TEXT, WIDTH)
def test_what_is_cut_fits(text: str, width: float) -> None:
    for cut in (clipped(text, width, 13), shortened(text, width, 13)):
        assert width_of(cut, 13) <= width
        assert cut == text or "…" in cut


@settings(max_examples=40)
@given(TEXT, WIDTH, st.integers(1, 3))
def test_lines_fit_and_are_no_more_than_asked_for(text: str, width: float, lines: int) -> None:
    found = wrapped(text, width, 13, lines)
    assert len(found) <= lines
    assert all(width_of(line, 13) <= width for line in found)


def test_a_long_title_loses_its_middle_for_alike_ones_differ_at_the_end() -> None:
    titles = [f"Draft the chapter about the branch in {town}" for town in ("Bergen", "Bilbao")]
    assert [shortened(title, 190, 13) for title in titles] == [
        "Draft the chapter a…in Bergen",
        "Draft the chapter ab…in Bilbao",
    ]
    assert wrapped("Check every number of both chapters", 190, 13, 2) == ["Check every number of both", "chapters"]
    assert wrapped("", 190, 13, 2) == []


def test_wide_letters_count_as_wide_and_marks_as_nothing() -> None:
    assert width_of("漢字", 10) > width_of("ab", 10)
    assert width_of("e\u0301\u202e", 10) == width_of("e", 10)
