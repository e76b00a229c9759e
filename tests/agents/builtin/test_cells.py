"""What one cell means."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.builtin.cells import DateOrder, Marks, classify, read_date, read_number

NUMBERS = st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "marks", "value"),
    [
        ("1,234.50", Marks.DOT, "1234.50"),
        ("1.234,50", Marks.COMMA, "1234.50"),
        ("1 234,5", Marks.COMMA, "1234.5"),
        ("1'234.5", Marks.DOT, "1234.5"),
        ("€ 12.50", Marks.DOT, "12.50"),
        ("12,50 €", Marks.COMMA, "12.50"),
        ("(1,200)", Marks.DOT, "-1200"),
        ("-5", Marks.DOT, "-5"),
        ("−5", Marks.DOT, "-5"),
        ("5-", Marks.DOT, "-5"),
        ("12.5%", Marks.DOT, "12.5"),
        ("1e3", Marks.DOT, "1000"),
        (".5", Marks.DOT, "0.5"),
        ("12,34,567.89", Marks.DOT, "1234567.89"),
        ("USD 3", Marks.DOT, "3"),
    ],
)
def test_a_number_is_read_by_the_decimal_sign_of_its_column(text: str, marks: Marks, value: str) -> None:
    assert read_number(text, marks) == Decimal(value)


@pytest.mark.parametrize("text", ["", "abc", "1,23.4", "1.2.3", "--", "(5", "5)", "1 2", "0x1F", "1_000", "nan", "inf"])
def test_what_is_no_number_reads_as_none(text: str) -> None:
    assert read_number(text, Marks.DOT) is None


@given(NUMBERS)
def test_every_printed_number_reads_back_with_either_decimal_sign(value: Decimal) -> None:
    dotted = f"{value:,.2f}"
    comma = dotted.translate(str.maketrans(",.", ".,"))
    assert read_number(dotted, Marks.DOT) == value
    assert read_number(comma, Marks.COMMA) == value


@given(st.text(max_size=80))
def test_no_text_makes_classify_fail(text: str) -> None:
    assert classify(text.strip()).kind


@given(st.dates(min_value=date(1000, 1, 1)))
def test_a_date_reads_back_in_every_order_it_is_written_in(day: date) -> None:
    iso = day.isoformat()
    assert read_date(iso, DateOrder.ISO) == iso
    assert read_date(f"{day.day}.{day.month}.{day.year}", DateOrder.DMY) == iso
    assert read_date(f"{day.month}/{day.day}/{day.year}", DateOrder.MDY) == iso


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "missing"),
        ("N/A", "missing"),
        ("NA", "soft"),
        ("00123", "code"),
        ("12", "int"),
        ("12.5", "dot"),
        ("12,5", "comma"),
        ("1.234", "either-dot"),
        ("1,234", "either-comma"),
        ("1.234.567", "comma"),
        ("2024-02-30", "text"),
        ("2024-02-29", "date-iso"),
        ("31.12.2024", "date-dmy"),
        ("12/31/2024", "date-mdy"),
        ("01/02/2024", "date-either"),
        ("5 March 2024", "date-named"),
        ("Mar 5, 2024", "date-named"),
        ("2024-03", "date-year-month"),
        ("Yes", "bool"),
        ("North", "text"),
        ("P12", "text"),
    ],
)
def test_a_cell_shows_what_it_could_be(text: str, kind: str) -> None:
    assert classify(text).kind == kind


def test_a_time_of_day_stays_with_its_date() -> None:
    assert read_date("2024-05-06 13:07:09", DateOrder.ISO) == "2024-05-06T13:07:09"
    assert read_date("5/6/2024 1:07 PM", DateOrder.MDY) == "2024-05-06T13:07:00"
    assert read_date("2024-05-06 00:00:00", DateOrder.ISO) == "2024-05-06"
    assert read_date("2024-05-06 25:00", DateOrder.ISO) is None
