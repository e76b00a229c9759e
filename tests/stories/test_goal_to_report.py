"""A goal with a file becomes deliverables, by an outside script only."""

from __future__ import annotations

import io

import openpyxl

from tests.stories import checker
from tests.stories.sales import by_region, cited, differences, generate
from tests.stories.script import Follower, Script, in_full

GOAL = "Which region sells best, and how did revenue develop?"


def test_a_file_of_thousands_of_rows_becomes_a_report_whose_figures_are_true(script: Script, seed: int) -> None:
    sales = generate(seed)
    workspace = script.workspace("Goal to report")
    with Follower(script, workspace) as journal:
        run = script.give(workspace, GOAL, sales.name, sales.content())
        assert journal.ended(run) == "done"

        given = script.files(run, "deliverable")
        assert set(given) == {"report.html", "orders.workbook.xlsx"}
        claims = cited(given["report.html"].decode())
        compared, wrong = differences(sales, claims)
        assert not wrong, wrong
        assert compared >= 25
        assert compared >= len(claims) * 0.9

        by_rest = script.journal(workspace)
        journal.caught_up(by_rest[-1]["seq"])
        assert journal.entries.all() == by_rest
        assert journal.connections == 1
        assert not checker.faults(by_rest, in_full(script, run))


def test_the_workbook_holds_every_row_and_sums_by_live_formulas(script: Script, seed: int) -> None:
    sales = generate(seed)
    workspace = script.workspace("Workbook")
    plan = [{"key": "profile", "title": "Profile the orders", "kind": "profile", "skills": ["data-analysis"]}]
    with Follower(script, workspace) as journal:
        path = f"/api/v1/workspaces/{workspace}/runs"
        fields = {"goal": GOAL, "plan": script.json(plan)}
        run = script.upload(path, fields, [(sales.name, sales.content())]).json["id"]
        script.post(f"/api/v1/runs/{run}/start")
        assert journal.ended(run) == "done"
    book = openpyxl.load_workbook(io.BytesIO(script.files(run, "deliverable")["orders.workbook.xlsx"]))
    header, *rows = book["Data"].iter_rows(values_only=True)
    column = header.index("revenue")
    assert len(rows) == len(sales.rows)
    assert round(sum(float(str(row[column])) for row in rows), 2) == float(sum(sales.values("revenue")))
    formulas = [str(cell.value) for row in book["Summary"].iter_rows() for cell in row]
    assert any(text.startswith("=SUM(") for text in formulas)
    groups = [row for row in book["Groups"].iter_rows(values_only=True) if row[0] == "region" and row[2] == "revenue"]
    assert {str(row[1]): round(float(str(row[4])), 2) for row in groups} == {
        region: float(total) for region, total in by_region(sales, "revenue").items()
    }
