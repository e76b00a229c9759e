"""The workbook, the chart and the summary that the analyst leaves."""

from __future__ import annotations

import xml.etree.ElementTree as ET
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from agents.builtin.analyst import profile_file, stems_of, summary
from agents.builtin.chart import choose, to_svg
from agents.builtin.failures import Stopped
from tests.agents.builtin.conftest import SalesFile, write_csv

SVG = "{http://www.w3.org/2000/svg}"


def analysed(path: Path) -> dict[str, Any]:
    profiles = profile_file(path.parent, path.name, path.stem, lambda: None)
    (profile,) = profiles.values()
    return profile


def test_the_workbook_has_live_formulas_whose_stored_values_are_right(sales: SalesFile) -> None:
    path, rows = sales
    analysed(path)
    target = path.parent / "sales.workbook.xlsx"
    live, stored = openpyxl.load_workbook(target), openpyxl.load_workbook(target, data_only=True)
    assert live.sheetnames == ["Summary", "Data", "Groups", "Chart"]
    heads = [cell.value for cell in live["Summary"][3]]
    line = next(row[0].row for row in live["Summary"].iter_rows(min_row=4) if row[0].value == "revenue")
    place = heads.index("Sum") + 1
    assert live["Summary"].cell(line, place).value == f"=SUM(Data!F2:F{len(rows) + 1})"
    total = sum(Decimal(row["revenue"]) for row in rows)
    assert stored["Summary"].cell(line, place).value == float(total)
    assert live["Data"].max_row == len(rows) + 1
    assert live["Data"]["F2"].value == float(rows[0]["revenue"])
    assert live["Data"]["G2"].value is (rows[0]["paid"] == "yes")
    assert live["Data"]["B2"].value.date().isoformat() == rows[0]["date"]


def test_the_workbook_holds_a_native_chart(sales: SalesFile) -> None:
    analysed(sales[0])
    with zipfile.ZipFile(sales[0].parent / "sales.workbook.xlsx") as archive:
        assert "xl/charts/chart1.xml" in archive.namelist()


def test_cells_that_look_like_formulas_stay_text(tmp_path: Path) -> None:
    risky = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", '=HYPERLINK("x")']
    path = write_csv(tmp_path / "a.csv", ["=name", "n"], [[cell, 1] for cell in risky])
    analysed(path)
    book = openpyxl.load_workbook(tmp_path / "a.workbook.xlsx")
    assert [book["Data"].cell(row, 1).value for row in range(1, 7)] == ["=name", *risky]
    with zipfile.ZipFile(tmp_path / "a.workbook.xlsx") as archive:
        sheet = archive.read("xl/worksheets/sheet2.xml").decode()
        assert "<f>" not in sheet
        assert "quotePrefix" in archive.read("xl/styles.xml").decode()


def test_a_table_longer_than_the_sheet_says_which_rows_the_formulas_cover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.builtin.workbook.MOST_ROWS", 100)
    path = write_csv(tmp_path / "a.csv", ["amount"], [[n] for n in range(250)])
    analysed(path)
    sheet = openpyxl.load_workbook(tmp_path / "a.workbook.xlsx", data_only=True)["Summary"]
    assert "the first 100 of 250 rows" in str(sheet["A1"].value)
    heads = [cell.value for cell in sheet[3]]
    assert sheet.cell(4, heads.index("Sum") + 1).value == sum(range(100))
    assert sheet.cell(4, heads.index("Sum of the whole file") + 1).value == sum(range(250))


def test_the_same_table_gives_the_same_workbook(sales: SalesFile) -> None:
    analysed(sales[0])
    first = (sales[0].parent / "sales.workbook.xlsx").read_bytes()
    analysed(sales[0])
    assert (sales[0].parent / "sales.workbook.xlsx").read_bytes() == first


def test_the_chart_says_in_words_what_it_shows(sales: SalesFile) -> None:
    profile = analysed(sales[0])
    root = ET.fromstring((sales[0].parent / "sales.chart.svg").read_text())
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("role") == "img"
    assert title is not None
    assert title.text == "Sum of revenue by month"
    assert desc is not None
    assert desc.text is not None
    series = next(entry for entry in profile["series"] if entry["measure"] == "revenue")
    high = max(series["rows"], key=lambda row: row[2])
    assert f"Highest: {high[0]} with {high[2]:,.2f}" in desc.text
    assert len(root.findall(f"{SVG}circle")) == len(series["rows"])


def test_hostile_names_cannot_break_out_of_the_chart(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", '"&', "\x01x", "plain"]
    rows = [[name, 5 * place] for place, name in enumerate(names * 4)] + [["x" * 400, 1]] * 2
    path = write_csv(tmp_path / "a.csv", ["kind", "amount"], rows)
    chart = choose(analysed(path))
    assert chart is not None
    root = ET.fromstring(to_svg(chart))
    assert not list(root.iter(f"{SVG}script"))
    assert "<script>alert(1)<…" in {text.text for text in root.iter(f"{SVG}text")}


def test_a_table_with_nothing_to_draw_gets_no_chart(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ["id"], [["a"], ["b"], ["c"]])
    analysed(path)
    assert not (tmp_path / "a.chart.svg").exists()
    assert (tmp_path / "a.workbook.xlsx").exists()


def test_the_summary_names_what_was_asked_for_first(sales: SalesFile) -> None:
    profile = analysed(sales[0])
    text = summary(profile, "How does unit_price differ by paid?", "sales")
    first = text.split("## What stands out\n\n1. ")[1].splitlines()[0]
    assert "unit_price" in first or "paid" in first


def test_stopping_leaves_no_half_written_files(sales: SalesFile) -> None:
    path, _ = sales
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > 6:
            raise Stopped

    with pytest.raises(Stopped):
        profile_file(path.parent, path.name, path.stem, check)
    assert [entry.name for entry in path.parent.iterdir()] == ["sales.csv"]


def test_files_of_one_stem_do_not_overwrite_each_other() -> None:
    assert stems_of(["a.csv", "a.xlsx", "b/c.tsv"]) == {"a.csv": "a-csv", "a.xlsx": "a-xlsx", "b/c.tsv": "b/c"}
