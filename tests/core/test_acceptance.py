"""Acceptance lines: what is a check, what is a text to be judged, and what a check finds."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.acceptance import CHECKS, NEED_ARGUMENT, Finding, Line, Verdict, check_text, parse_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("not_empty", Line("not_empty", "not_empty")),
        (" contains :  Total sales ", Line("contains :  Total sales", "contains", "Total sales")),
        ("contains: a: b", Line("contains: a: b", "contains", "a: b")),
        ("min_words:200", Line("min_words:200", "min_words", "200")),
        ("numbers_match_source", Line("numbers_match_source", "numbers_match_source")),
        ("opens: report.xlsx", Line("opens: report.xlsx", "opens", "report.xlsx")),
        ("Contains: upper case is a text", Line("Contains: upper case is a text")),
        ("is polite", Line("is polite")),
        ("contain: x", Line("contain: x")),
        ("not_empty please", Line("not_empty please")),
    ],
)
def test_a_line_is_a_check_of_the_closed_set_or_a_text(text: str, line: Line) -> None:
    assert parse_line(text) == line


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_that_needs_an_argument_is_refused_without_one(check: str) -> None:
    for text in (check, f"{check}:", f"{check}:   "):
        if check in NEED_ARGUMENT:
            with pytest.raises(ValueError, match="needs an argument"):
                parse_line(text)
        else:
            assert parse_line(text).check == check


@pytest.mark.parametrize("pattern", ["(", "[", "*", "x" * 201, "(?P<a", "a{99999999999999999999}", "(?<=a+)b"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        parse_line(f"matches: {pattern}")


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a*)*b", "(a|a)*b", "(a|aa)+$", "(.*a){20}", "((ab)+c)*", "(a?){50}a{50}", "(?:a+ )*b", ".*.*.*.*x"],
)
def test_a_pattern_that_could_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        parse_line(f"matches: {pattern}")


@pytest.mark.parametrize(
    "pattern",
    [r"\d{4}-\d\d-\d\d", r"(ab){3}", r"(a|b)c", r"(?i)total", r"\(x+\)*", r"[(+|)*]{2}", r"(?:\d\d\d )+", r"\w+ = \d+"],
)
def test_ordinary_patterns_are_taken(pattern: str) -> None:
    assert parse_line(f"matches: {pattern}").check == "matches"


@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
@given(st.text(alphabet="ab()[]*+?|{}\\1,^$.:", max_size=30))
def test_whatever_is_given_as_a_pattern_is_taken_or_refused_and_ends(pattern: str) -> None:
    try:
        line = parse_line(f"matches: {pattern}")
    except ValueError:
        return
    if line.check:
        found: list[Verdict | None] = []
        search = threading.Thread(target=lambda: found.append(check_text(line, "ab" * 30 + "c")), daemon=True)
        search.start()
        search.join(10)
        assert found


CASES = [
    ("not_empty", "x", True),
    ("not_empty", " \n\t", False),
    ("contains: Total", "the TOTAL is 4", True),
    ("contains: straße", "STRASSE", True),
    ("contains: total", "nothing", False),
    ("not_contains: secret", "Secret", False),
    ("not_contains: secret", "open", True),
    (r"matches: \d+ %", "about 12 % more", True),
    (r"matches: ^\d+$", "a 12", False),
    ("min_words: 3", "one two-three", True),
    ("min_words: 3", "one two", False),
    ("min_words: 0", "", True),
]


@pytest.mark.parametrize(("line", "text", "passes"), CASES)
def test_a_text_check_finds_what_it_says(line: str, text: str, passes: bool) -> None:
    verdict = check_text(parse_line(line), text)
    assert verdict is not None
    assert verdict.finding is (Finding.PASSED if passes else Finding.FAILED)
    assert verdict.reason
    assert verdict.as_json() == {
        "line": line,
        "finding": verdict.finding.value,
        "reason": verdict.reason,
        "by": "objective check",
    }


@pytest.mark.parametrize("line", ["is polite", "opens", "file_type: pdf", "sheet_has: Sales", "numbers_match_source"])
def test_what_needs_a_judge_or_files_is_not_decided_by_the_text(line: str) -> None:
    assert check_text(parse_line(line), "anything") is None
