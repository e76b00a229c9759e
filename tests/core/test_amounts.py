"""Counts and US dollars as people write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.amounts import parse_count, parse_dollars, say_count, say_dollars, write_dollars


@pytest.mark.parametrize(
    ("micro", "said"),
    [
        (0, "$0"),
        (50, "under $0.0001"),
        (3_100, "$0.0031"),
        (42_000, "$0.042"),
        (420_000, "$0.42"),
        (12_300_000, "$12.30"),
        (1_234_567_000_000, "$1\u202f234\u202f567"),
    ],
)
def test_money_has_as_many_digits_as_say_something(micro: int, said: str) -> None:
    assert say_dollars(micro) == said


@pytest.mark.parametrize(
    ("typed", "micro"), [("5", 5_000_000), ("$2.50", 2_500_000), ("0,75 USD", 750_000), (" 0.000001 ", 1)]
)
def test_dollars_are_read_as_people_write_them(typed: str, micro: int) -> None:
    assert parse_dollars(typed) == micro


@given(st.integers(0, 10**14))
def test_dollars_come_back_as_they_were_written(micro: int) -> None:
    assert parse_dollars(write_dollars(micro)) == micro


@pytest.mark.parametrize(
    ("typed", "count"),
    [
        ("2000", 2000),
        ("2 000 000", 2_000_000),
        ("2,000", 2000),
        ("500k", 500_000),
        ("1.5M", 1_500_000),
        ("2 M", 2 * 10**6),
    ],
)
def test_counts_are_read_as_people_write_them(typed: str, count: int) -> None:
    assert parse_count(typed) == count


@pytest.mark.parametrize("typed", ["many", "-5", "1.5", "2,00,0", "1e9", "0.0001k", ""])
def test_what_is_no_count_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(ValueError, match="Write it like"):
        parse_count(typed)


@pytest.mark.parametrize("typed", ["much", "-5", "1.2.3", "€5", ""])
def test_what_is_no_amount_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(ValueError, match="Write US dollars like"):
        parse_dollars(typed)


def test_large_counts_are_said_in_a_few_characters() -> None:
    assert [say_count(n) for n in (950, 1000, 12_345, 262_144, 1_500_000)] == ["950", "1k", "12.3k", "262k", "1.5M"]
