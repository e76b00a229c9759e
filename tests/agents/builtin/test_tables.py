"""Reading files: encodings, delimiters, headers, ragged lines, workbooks, and what is refused."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.builtin.delimited import Tally
from agents.builtin.failures import Stopped, TableError
from agents.builtin.tables import Table, open_tables

CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\r\n", exclude_categories=["Cc", "Cs"]), max_size=12
)


def rows_of(table: Table) -> list[tuple[str, ...]]:
    return [row for batch in table.batches(lambda: None) for row in zip(*batch.columns, strict=True)]


def read(path: Path) -> tuple[list[str], list[tuple[str, ...]], list[str]]:
    with open_tables(path, path.name) as tables:
        assert len(tables) == 1
        return tables[0].columns, rows_of(tables[0]), tables[0].notes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_each_common_encoding_gives_the_same_text(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "städte.csv"
    path.write_bytes("Stadt;Größe\nKöln;1\nMünchen;2\n".encode(encoding))
    columns, rows, notes = read(path)
    assert columns == ["Stadt", "Größe"]
    assert rows == [("Köln", "1"), ("München", "2")]
    assert any("Windows-1252" in note for note in notes) is (encoding == "cp1252")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        f"a{delimiter}b{delimiter}c\n1{delimiter}2,5{delimiter}x\n" if delimiter != "," else 'a,b,c\n1,"2,5",x\n'
    )
    assert read(path)[:2] == (["a", "b", "c"], [("1", "2,5", "x")])


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name\nAnn\nBob\n")
    assert read(path)[:2] == (["name"], [("Ann",), ("Bob",)])


def test_a_sep_line_is_obeyed_and_is_no_data(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sep=;\na;b\n1;2\n")
    assert read(path) == (["a", "b"], [("1", "2")], [])


def test_lines_above_the_header_are_skipped_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Sales 2024\n\na,b,c\n1,2,3\n4,5,6\n7,8,9\n")
    columns, rows, notes = read(path)
    assert columns == ["a", "b", "c"]
    assert len(rows) == 3
    assert "above the header" in notes[0]


def test_a_file_without_header_gets_numbered_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2.5\n3,4.5\n")
    columns, rows, notes = read(path)
    assert columns == ["column 1", "column 2"]
    assert len(rows) == 2
    assert "numbered" in notes[0]


def test_doubled_and_empty_names_become_unique(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,a,,b\n1,2,3,4\n")
    assert read(path)[0] == ["a", "a (2)", "column 3", "b"]


def test_ragged_lines_are_kept_and_counted_and_blank_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n1,2,3\n4,5\n\n6,7,8,9\n,,\n10,11,12,\n")
    with open_tables(path, "a.csv") as (table,):
        tally = Tally()
        rows = [row for batch in table.batches(lambda: None, tally) for row in zip(*batch.columns, strict=True)]
    assert rows == [("1", "2", "3"), ("4", "5", ""), ("6", "7", "8"), ("10", "11", "12")]
    assert (tally.short, tally.long, tally.blank, tally.first_ragged) == (1, 1, 2, 2)


def test_an_unclosed_quotation_mark_does_not_swallow_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + '1,"x\n' + "".join(f"{n},y\n" for n in range(1000)))
    _, rows, notes = read(path)
    assert len(rows) == 1001
    assert any("never closed" in note for note in notes)


def test_quoted_line_breaks_and_delimiters_belong_to_their_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n"1,5","two\nlines"\n')
    assert read(path)[1] == [("1,5", "two\nlines")]


@settings(max_examples=60)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=30), st.sampled_from(";\t|,"))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["first", "second", "third"])
    writer.writerows([[f"x{cell}" for cell in row] for row in rows])
    path.write_text(buffer.getvalue(), encoding="utf-8", newline="")
    with open_tables(path, "a.csv") as (table,):
        assert rows_of(table) == [tuple(f"x{cell}".strip() for cell in row) for row in rows]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"  \n \n", "blanks"),
        ("a.csv", b"a,b,c\n", "no rows below"),
        ("a.csv", b"PK\x03\x04" + bytes(200), "ZIP"),
        ("a.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "PNG"),
        ("a.csv", bytes(range(256)) * 40, "binary"),
        ("a.xlsx", b"a,b\n1,2\n", "not an XLSX"),
        ("a.xls", b"\xd0\xcf\x11\xe0" + bytes(100), "old Excel"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError, match=words) as refused, open_tables(path, name):
        pass
    assert name in str(refused.value)
    assert any(verb in str(refused.value) for verb in ("Send", "Export", "Add", "Save", "choose"))


def test_a_workbook_gives_one_table_a_sheet_with_types_kept(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.title = "Orders"
    first.append(["id", "day", "amount", "ok", "code"])
    first.append([1, date(2024, 2, 3), 12.5, True, "007"])
    first.append([2, datetime.fromisoformat("2024-02-04T05:06:07"), 1e-7, False, None])
    book.create_sheet("Empty")
    other = book.create_sheet("Names")
    other.append(["name"])
    other.append(["Ann"])
    book.save(path)
    with open_tables(path, "book.xlsx") as tables:
        assert [table.name for table in tables] == ["book.xlsx#Orders", "book.xlsx#Names"]
        assert rows_of(tables[0]) == [
            ("1", "2024-02-03", "12.5", "TRUE", "007"),
            ("2", "2024-02-04T05:06:07", "0.0000001", "FALSE", ""),
        ]


def test_a_workbook_of_empty_sheets_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    openpyxl.Workbook().save(path)
    with pytest.raises(TableError, match="only empty sheets"), open_tables(path, "book.xlsx"):
        pass


def test_reading_stops_at_the_next_batch(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n" + "1\n" * 20_000)
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise Stopped

    with open_tables(path, "a.csv") as (table,):
        asked = 0
        with pytest.raises(Stopped):
            for _ in table.batches(check):
                pass
    assert asked == 3
