"""Claims, marks and the recount of every figure from the raw rows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.builtin.brief import read_brief
from agents.builtin.claims import find_claims
from agents.builtin.compose import compose
from agents.builtin.facts import from_profile
from agents.builtin.marks import Mark, find_marks, parse
from agents.builtin.material import Material, gather
from agents.builtin.recompute import Recount
from agents.builtin.review import Review, review, verdict
from agents.builtin.tables import open_tables
from agents.builtin.writer import profile_missing
from tests.agents.builtin.conftest import SalesFile

WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), min_size=1, max_size=12)


@given(WORDS, WORDS, WORDS, WORDS)
def test_a_mark_with_any_names_reads_back_from_its_text(table: str, column: str, key: str, value: str) -> None:
    mark = Mark(table, column, "sum", key, value)
    text = f"worth 12 {mark} in all"
    assert [placed.mark for placed in find_marks(text)] == [mark]
    assert parse(str(mark)[1:-1]) == mark
    (claim,) = [claim for claim in find_claims(text) if claim.mark]
    assert claim.readings == (Decimal(12),)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4))
def test_a_number_agrees_with_the_value_it_was_rounded_from(value: Decimal) -> None:
    (claim,) = find_claims(f"is {value:,.2f} here")
    assert claim.agrees(value)
    assert not claim.agrees(value + Decimal("0.02"))


@pytest.mark.parametrize(
    ("text", "value", "agrees"),
    [
        ("about 1.2 million", "1234567", True),
        ("about 1.2 million", "1260000", False),
        ("some 3.4k", "3390", True),
        ("1.234,5 in all", "1234.5", True),
        ("1,234.5 in all", "1234.5", True),
        ("€12.50", "12.5", True),
        ("42 %", "42.4", True),
        ("42 %", "42.6", False),
        ("-5.0", "-5.04", True),
    ],
)
def test_the_tolerance_is_half_of_the_last_printed_digit(text: str, value: str, agrees: bool) -> None:
    (claim,) = find_claims(text)
    assert claim.agrees(Decimal(value)) is agrees


def test_labels_dates_code_and_quotations_are_no_claims() -> None:
    text = (
        "# Report 2024\n\n1. In 2024-03 “Store 12” and `x = 5`\n> 7 things\n\nP015 on 3/4/2024, SHA-256, [a 9](b/1)\n"
    )
    assert [claim.text for claim in find_claims(text)] == ["9"]


def material_with_report(folder: Path) -> tuple[Material, str]:
    material = gather(folder)
    assert profile_missing(material, lambda: None) == []
    brief = read_brief("", {"task": {"title": "Sales", "goal": "How do region and revenue go together?"}})
    return material, str(compose(brief, material))


def reviewed(folder: Path, text: str) -> Review:
    return review("report.md", text, gather(folder), lambda: None)


def test_every_number_of_a_composed_report_holds_against_the_raw_rows(sales: SalesFile) -> None:
    folder = sales[0].parent
    _, text = material_with_report(folder)
    found = reviewed(folder, text)
    assert [check.as_json() for check in found.wrong] == []
    assert [claim.text for claim in found.unsourced] == []
    assert len(found.checked) > 25
    assert {check.basis for check in found.checked} == {"rows"}
    assert found.passed
    assert verdict(found).startswith("Verdict: pass.")


def test_a_planted_wrong_number_is_caught_and_named(sales: SalesFile) -> None:
    path, rows = sales
    right = sum(Decimal(row["revenue"]) for row in rows)
    _, text = material_with_report(path.parent)
    planted = text.replace(f"| {right:,.2f} |", f"| {right + 1:,.2f} |")
    assert planted != text
    found = reviewed(path.parent, planted)
    assert not found.passed
    assert {check.claim.text for check in found.wrong} == {f"{right + 1:,.2f}"}
    entry = found.wrong[0].as_json()
    assert (entry["expected"], entry["ok"], entry["found"]) == (float(right), False, f"{right + 1:,.2f}")
    said = verdict(found)
    assert said.startswith("Verdict: fail.")
    assert f"the data gives {right:,.2f}" in said


def test_a_number_without_source_is_listed_and_does_not_fail_the_text(sales: SalesFile) -> None:
    _, text = material_with_report(sales[0].parent)
    found = reviewed(sales[0].parent, text + "\nWe expect growth of 12 % next year.\n")
    assert [claim.text for claim in found.unsourced] == ["12"]
    assert found.passed
    assert "growth of 12 % next year" in verdict(found)


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        ("[gone.csv · revenue · sum]", "not among the files"),
        ("[sales.csv · profit · sum]", "no column 'profit'"),
        ("[sales.csv · revenue · charm]", "no figure that can be worked out"),
        ("[sales.csv · revenue · sum · region = Nowhere]", "no data behind"),
        ("[sales.csv · region · sum]", "no figure that can be worked out"),
    ],
)
def test_a_source_that_gives_nothing_fails_with_the_reason(sales: SalesFile, mark: str, why: str) -> None:
    found = reviewed(sales[0].parent, f"It is 12 {mark}.")
    assert not found.passed
    assert why in found.wrong[0].answer.reason
    assert why in verdict(found)


def test_a_text_without_any_source_cannot_pass(sales: SalesFile) -> None:
    found = reviewed(sales[0].parent, "All is 7 well.")
    assert not found.passed
    assert "nothing could be confirmed" in verdict(found)


def test_without_the_table_its_profile_is_taken_and_said(sales: SalesFile) -> None:
    path, _ = sales
    material, text = material_with_report(path.parent)
    material.tables = []
    found = review("report.md", text, material, lambda: None)
    assert found.passed
    assert "its profile was taken instead" in verdict(found)


@pytest.mark.parametrize(
    "aggregate",
    ["count", "sum", "mean", "median", "min", "max", "stdev", "missing", "missing share", "distinct", "outliers"],
)
def test_recount_and_profile_come_to_the_same_by_different_ways(sales: SalesFile, aggregate: str) -> None:
    path, _ = sales
    material, _ = material_with_report(path.parent)
    (profile,) = material.profiles.values()
    marks = [Mark("sales.csv", name, aggregate) for name in ("quantity", "unit_price", "revenue")]
    with open_tables(path, "sales.csv") as (table,):
        answers = Recount(table, lambda: None).answer(marks)
    for mark in marks:
        ours, theirs = answers[mark].value, from_profile(profile, mark).value
        assert ours is not None
        assert theirs is not None
        assert float(ours) == pytest.approx(float(theirs), rel=1e-12)


def test_shares_changes_and_tops_are_recounted_with_plain_python(sales: SalesFile) -> None:
    path, rows = sales
    by: dict[str, Decimal] = {}
    months: dict[str, Decimal] = {}
    for row in rows:
        by[row["region"]] = by.get(row["region"], Decimal(0)) + Decimal(row["revenue"])
        months[row["date"][:7]] = months.get(row["date"][:7], Decimal(0)) + Decimal(row["revenue"])
    whole = sum(by.values())
    marks = {
        Mark("sales.csv", "revenue", "share of sum", "region", "North"): 100 * by["North"] / whole,
        Mark("sales.csv", "revenue", "top 3 share of sum", "region"): 100 * sum(sorted(by.values())[1:]) / whole,
        Mark("sales.csv", "revenue", "change of sum", "date", "2024-01", "2024-12"): 100
        * (months["2024-12"] - months["2024-01"])
        / months["2024-01"],
        Mark("sales.csv", "rows", "share of rows", "paid", "true"): Decimal(
            100 * sum(row["paid"] == "yes" for row in rows)
        )
        / len(rows),
    }
    with open_tables(path, "sales.csv") as (table,):
        answers = Recount(table, lambda: None).answer(list(marks))
    for mark, value in marks.items():
        found = answers[mark].value
        assert found is not None
        assert float(found) == pytest.approx(float(value), rel=1e-12)
