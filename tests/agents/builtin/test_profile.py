"""The profile against independent arithmetic: the statistics module and plain sums over the same rows."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.builtin.profile import profile_table, to_bytes
from agents.builtin.tables import open_tables
from tests.agents.builtin.conftest import SalesFile, column, write_csv

ProfileOf = Callable[[str], dict[str, Any]]
MONEY = st.decimals(min_value=-(10**9), max_value=10**9, places=2)


def profile_file(path: Path) -> dict[str, Any]:
    with open_tables(path, path.name) as tables:
        return profile_table(tables[0])[0]


def test_every_figure_of_a_column_equals_an_independent_computation(sales: SalesFile) -> None:
    path, rows = sales
    profile = profile_file(path)
    assert profile["rows"] == len(rows)
    for name in ("unit_price", "revenue", "quantity"):
        values = [Decimal(row[name]) for row in rows if row[name]]
        entry = column(profile, name)
        assert entry["count"] == len(values)
        assert entry["missing"] == len(rows) - len(values)
        assert entry["distinct"] == len(set(values))
        assert Decimal(str(entry["sum"])) == sum(values)
        assert math.isclose(entry["mean"], statistics.mean(values), rel_tol=1e-15)
        assert math.isclose(entry["median"], statistics.median(values), rel_tol=1e-15)
        assert math.isclose(entry["stdev"], statistics.stdev(map(float, values)), rel_tol=1e-12)
        assert (entry["min"], entry["max"]) == (float(min(values)), float(max(values)))


def test_groups_series_duplicates_and_outliers_equal_plain_python(sales: SalesFile) -> None:
    path, rows = sales
    profile = profile_file(path)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    months: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row["region"]] += Decimal(row["revenue"])
        months[row["date"][:7]] += Decimal(row["revenue"])
    group = next(g for g in profile["groups"] if (g["by"], g["measure"]) == ("region", "revenue"))
    assert {row[0]: Decimal(str(row[2])) for row in group["rows"]} == sums
    assert [row[0] for row in group["rows"]] == sorted(sums, key=lambda key: -sums[key])
    assert {row[0]: row[1] for row in group["rows"]} == Counter(row["region"] for row in rows)
    series = next(s for s in profile["series"] if s["measure"] == "revenue")
    assert {row[0]: Decimal(str(row[2])) for row in series["rows"]} == months
    assert [row[0] for row in series["rows"]] == sorted(months)
    assert profile["duplicates"] == 1
    values = [float(row["revenue"]) for row in rows]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    limit = third + 1.5 * (third - first)
    far = next(entry for entry in profile["outliers"] if entry["column"] == "revenue")
    assert far["count"] == sum(value > limit for value in values)
    assert far["examples"][0] == [78, 98765.43]


def test_the_same_file_gives_the_same_bytes(sales: SalesFile) -> None:
    path, _ = sales
    assert to_bytes(profile_file(path)) == to_bytes(profile_file(path))


@settings(max_examples=40)
@given(st.lists(MONEY, min_size=1, max_size=60))
def test_sums_of_money_are_exact(tmp_path_factory: pytest.TempPathFactory, amounts: list[Decimal]) -> None:
    folder = tmp_path_factory.mktemp("money")
    path = write_csv(folder / "a.csv", ["what", "amount"], [["x", f"{amount:.2f}"] for amount in amounts])
    assert Decimal(str(column(profile_file(path), "amount")["sum"])) == sum(amounts)


@settings(max_examples=40)
@given(st.lists(MONEY, min_size=2, max_size=40))
def test_a_file_with_decimal_commas_gives_the_same_figures(
    tmp_path_factory: pytest.TempPathFactory, amounts: list[Decimal]
) -> None:
    folder = tmp_path_factory.mktemp("comma")
    dots = [["x", f"{amount:.2f}"] for amount in amounts]
    commas = [["x", f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))] for amount in amounts]
    one = column(profile_file(write_csv(folder / "dot.csv", ["what", "amount"], dots)), "amount")
    two = column(profile_file(write_csv(folder / "comma.csv", ["what", "amount"], commas, delimiter=";")), "amount")
    assert [one[key] for key in ("sum", "min", "max", "count")] == [two[key] for key in ("sum", "min", "max", "count")]


@pytest.mark.parametrize(
    ("cells", "kind", "missing"),
    [
        (["1", "2", ""], "integer", 1),
        (["1", "2.5", "N/A"], "decimal", 1),
        (["1", "-", "3"], "integer", 1),
        (["2024-01-01", "2024-01-02", "NA"], "date", 1),
        (["yes", "no", "Yes"], "boolean", 0),
        (["North", "NA", "South"], "text", 0),
        (["", "", ""], "empty", 3),
        (["00123", "04567", "89123"], "text", 0),
        (["1,234", "5,678", "9"], "integer", 0),
        (["5 EUR", "6 USD", "7 EUR"], "text", 0),
    ],
)
def test_a_column_has_the_type_of_its_cells(profile_of: ProfileOf, cells: list[str], kind: str, missing: int) -> None:
    profile = profile_of("name;value\n" + "".join(f"n{place};{cell}\n" for place, cell in enumerate(cells)))
    entry = column(profile, "value")
    assert (entry["type"], entry["missing"]) == (kind, missing)


def test_a_few_words_among_numbers_are_left_out_and_said(profile_of: ProfileOf) -> None:
    profile = profile_of("name,amount\n" + "a,10\n" * 19 + "b,unknown\n")
    entry = column(profile, "amount")
    assert (entry["type"], entry["sum"], entry["count"], entry["missing"]) == ("mixed", 190, 19, 1)
    assert any("'unknown'" in note for note in profile["notes"])


def test_ambiguous_thousands_follow_the_rest_of_the_file(profile_of: ProfileOf) -> None:
    german = profile_of("a;menge;preis\nx;1.234;2,50\ny;5.678;3,75\n")
    assert column(german, "menge")["sum"] == 6912
    english = profile_of("a;menge;preis\nx;1.234;2.50\ny;5.678;3.75\n")
    assert column(english, "menge")["sum"] == 6.912
    assert any("thousands" in note for note in german["notes"])


def test_the_order_of_day_and_month_is_taken_from_the_column(profile_of: ProfileOf) -> None:
    day_first = profile_of("d,v\n01/02/2024,1\n13/02/2024,2\n")
    assert column(day_first, "d")["min"] == "2024-02-01"
    month_first = profile_of("d,v\n01/02/2024,1\n02/13/2024,2\n")
    assert column(month_first, "d")["min"] == "2024-01-02"
    open_ = profile_of("d,v\n01/02/2024,1\n03/04/2024,2\n")
    assert any("month first" in note for note in open_["notes"])


def test_numbers_that_name_rows_are_not_added_up(sales: SalesFile) -> None:
    profile = profile_file(sales[0])
    assert column(profile, "order_id")["role"] == "identifier"
    assert {group["measure"] for group in profile["groups"]} == {"quantity", "unit_price", "revenue"}


def test_more_values_than_are_kept_are_thinned_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.builtin.profile.SLOT_BUDGET", 4_000)
    monkeypatch.setattr("agents.builtin.profile.KEY_BUDGET", 100)
    path = write_csv(tmp_path / "a.csv", ["amount", "who"], [[n, f"w{n}"] for n in range(20_000)])
    profile = profile_file(path)
    amount = column(profile, "amount")
    assert (amount["sum"], amount["count"]) == (sum(range(20_000)), 20_000)
    assert math.isclose(amount["median"], 9999.5, rel_tol=0.01)
    assert any("one of every" in note for note in profile["notes"])
    assert column(profile, "who")["distinct_capped"] is True
