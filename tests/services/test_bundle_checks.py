"""Objective checks of what was delivered: empty files, links, parts, columns. An agent's “done” counts for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgroups.core.acceptance import Finding, parse_line
from clawgroups.services import checked_apart, checks, file_checks
from clawgroups.services.checks import Result, ResultFile
from clawgroups.services.file_checks import judge

DONE = "Done! Everything is finished and all numbers are right."


def file(folder: Path, name: str, content: str) -> ResultFile:
    path = folder / name.replace("/", "_")
    path.write_text(content, encoding="utf-8")
    return ResultFile(name, path, path.stat().st_size)


def found(line: str, result: Result) -> tuple[bool, str]:
    (verdict,) = judge([line], result)
    assert verdict.finding is not Finding.OPEN
    return verdict.finding is Finding.PASSED, verdict.reason


@pytest.mark.parametrize("line", ["not_empty", "file_type: .csv", "opens", "opens: a.csv"])
def test_a_file_without_a_byte_is_no_result_whatever_is_said_of_it(tmp_path: Path, line: str) -> None:
    passed, reason = found(line, Result(DONE, (file(tmp_path, "a.csv", ""),)))
    assert not passed
    assert "empty" in reason


def test_the_same_is_found_in_a_process_of_its_own(tmp_path: Path) -> None:
    lines = ["links_resolve", "has_parts: Summary", "schema: a.csv: id"]
    verdicts = checked_apart.judge(lines, Result("[x](gone.md)", (file(tmp_path, "a.csv", "id\n1\n"),)))
    assert [one.finding for one in verdicts] == [Finding.FAILED, Finding.FAILED, Finding.PASSED]


def test_an_empty_file_beside_others_is_no_fault(tmp_path: Path) -> None:
    files = (file(tmp_path, "pkg/__init__.py", ""), file(tmp_path, "pkg/a.py", "x = 1"))
    assert found("not_empty", Result(DONE, files))[0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("file_type: .xlsx", "no .xlsx file was delivered"),
        ("opens", "no file was delivered"),
        ("schema: orders.csv: id", "orders.csv was not delivered"),
        ("sheet_has: Totals", "no sheet or column “Totals” in a workbook"),
    ],
)
def test_a_claim_without_a_file_goes_back_with_the_reason(line: str, reason: str) -> None:
    assert found(line, Result(DONE)) == (False, reason)


def test_a_wrong_number_goes_back_with_the_number(tmp_path: Path) -> None:
    data = (file(tmp_path, "sales.csv", "region,amount\nnorth,10\nsouth,32\n"),)
    passed, reason = found("numbers_match_source", Result("All in all 43 [sales.csv · amount · sum].", (), data))
    assert not passed
    assert "43" in reason


# Links


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a](data/missing.csv)", "was not delivered"),
        ("![a](../secret.png)", "leads out of what was delivered"),
        ("[a](/etc/passwd)", "leads out of what was delivered"),
        ("[a](file:///etc/passwd)", "leads out of what was delivered"),
        ("[a](//evil.example/x)", "leads out of what was delivered"),
        ("[a](#nowhere)", "names a place that is not there"),
        ("[a](report.html#nowhere)", "names a place that is not there"),
        ("[a]: gone.md", "was not delivered"),
        ("[a](<a b.md>)", "was not delivered"),
    ],
)
def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, text: str, reason: str) -> None:
    files = (file(tmp_path, "report.html", "<h1 id='top'>Top</h1>"), file(tmp_path, "readme.md", f"# Head\n{text}"))
    passed, said = found("links_resolve", Result(DONE, files))
    assert not passed
    assert reason in said
    assert said.startswith("1 of 1 links lead nowhere; readme.md: ")


def test_links_to_files_places_folders_and_other_sites_are_good(tmp_path: Path) -> None:
    files = (
        file(
            tmp_path,
            "docs/index.md",
            "# Key figures\n[t](../data/a%20b.csv) [s](#key-figures) [f](../data) `[x](no.md)`",
        ),
        file(tmp_path, "docs/page.html", "<a href='index.md#key-figures'>x</a><img src='data:image/png;base64,AA'>"),
        file(tmp_path, "data/a b.csv", "a\n1\n"),
    )
    said = "See [page](docs/page.html), [input](sales.csv), [site](https://example.org), [us](mailto:a@b.c).\n"
    said += "```\n[x](no.md)\n```"
    data = (file(tmp_path, "sales.csv", "a\n1\n"),)
    assert found("links_resolve", Result(said, files, data)) == (True, "6 links lead to what was delivered")
    assert found("links_resolve", Result(DONE)) == (True, "it has no links to files")


# Parts and columns


def test_each_part_needs_a_heading(tmp_path: Path) -> None:
    files = (file(tmp_path, "report.md", "# 1. Summary of it\nText\n## Sources\n"),)
    assert found("has_parts: Summary, sources", Result(DONE, files))[0]
    assert found("has_parts: Summary, Method", Result(DONE, files)) == (False, "no heading says “Method”")
    page = (file(tmp_path, "page.html", "<h2>The <b>Method</b></h2>"),)
    assert found("has_parts: method", Result(DONE, page))[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("orders.csv", "id,amount,day\na,1.5,2026-01-02\nb,,2026-01-03\n"),
        ("orders.csv", "id;amount;day\na;1.5;2026-01-02\n"),
        ("orders.tsv", "id\tamount\tday\na\t1\t2026-01-02\n"),
        ("orders.json", '[{"id": "a", "amount": 1, "day": "2026-01-02T10:00:00"}]'),
    ],
)
def test_a_table_has_its_columns_and_what_they_hold(tmp_path: Path, name: str, content: str) -> None:
    files = (file(tmp_path, name, content),)
    assert found(f"schema: {name}: id, amount:number, day:date", Result(DONE, files))[0]
    assert found(f"schema: {name}: id, price", Result(DONE, files)) == (False, f"{name} has no column “price”")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("id,amount\na,much\n", "orders.csv, row 1: “much” in “amount” is no number"),
        ("id,amount\n", "orders.csv has no rows"),
        ("", "orders.csv is empty"),
    ],
)
def test_a_table_that_does_not_hold_it_is_told_where(tmp_path: Path, content: str, reason: str) -> None:
    result = Result(DONE, (file(tmp_path, "orders.csv", content),))
    assert found("schema: orders.csv: id, amount:number", result) == (False, reason)


def test_a_file_that_is_no_table_is_said_so(tmp_path: Path) -> None:
    for name, content in (("a.json", "{"), ("a.txt", "x"), ("a.xlsx", "no workbook")):
        passed, reason = found(f"schema: {name}: id", Result(DONE, (file(tmp_path, name, content),)))
        assert not passed
        assert "does not open as a table" in reason


def test_a_schema_without_columns_is_no_line() -> None:
    for wrong in ("schema", "schema: orders.csv", "schema: orders.csv:", "has_parts:"):
        with pytest.raises(ValueError, match="needs a"):
            parse_line(wrong)


def test_what_opens_files_is_done_where_files_may_be_opened() -> None:
    assert file_checks.CHECKS.keys() == checks.OPENING
