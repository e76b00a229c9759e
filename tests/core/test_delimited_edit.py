"""Tables are changed cell by cell, and the rest of the file is not touched."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.delimited_edit import MOST_ROWS, NoTable, Table, parse, sniff

ODD = 'name;"note"\r\n"Müller";"he said ""so""\nand left"\r\n\r\n =1+1 ;x'


def test_a_table_that_nobody_touched_is_the_same_bytes() -> None:
    table = parse(ODD)
    assert table.delimiter == ";"
    assert [[cell.value for cell in row.cells] for row in table.rows] == [
        ["name", "note"],
        ["Müller", 'he said "so"\nand left'],
        [""],
        [" =1+1 ", "x"],
    ]
    table.set({(1, 1): 'he said "so"\r\nand left', (0, 0): "name", (2, 1): ""})
    assert table.text() == ODD


def test_one_cell_changes_and_its_neighbours_keep_their_quotes() -> None:
    table = parse(ODD)
    table.set({(1, 0): "Meier; Sons", (3, 1): "y", (2, 1): "new"})
    assert table.text() == 'name;"note"\r\n"Meier; Sons";"he said ""so""\nand left"\r\n;new\r\n =1+1 ;y'


def test_rows_come_and_go_and_the_file_ends_as_it_did() -> None:
    table = parse('"a","b"\r\n"1","2"')
    table.add_row(2)
    assert table.text() == '"a","b"\r\n"1","2"\r\n"",""'
    table.add_row(1)
    table.drop_row(3)
    table.drop_row(0)
    assert table.text() == '"",""\r\n"1","2"'
    ending = parse("a\n1\n")
    ending.drop_row(1)
    ending.add_row(9)
    assert ending.text() == "a\n\n"


def test_columns_come_and_go_also_where_rows_are_ragged() -> None:
    table = parse("a,b,c\n1\n2,3\n")
    table.add_column(1)
    assert table.text() == "a,,b,c\n1,\n2,,3\n"
    table.drop_column(3)
    table.drop_column(0)
    assert table.text() == ",b\n\n,3\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("a,b\n1,2\n", ","), ("a\tb,c\n1\t2\n", "\t"), ("x;1,5\ny;2,5\n", ";"), ("one", ","), ("a|b|c\n1|2|3", "|")],
)
def test_the_delimiter_is_the_one_that_cuts_lines_alike(text: str, wanted: str) -> None:
    assert sniff(text) == wanted


def test_what_is_too_large_or_broken_says_so() -> None:
    with pytest.raises(NoTable, match="200 rows"):
        parse("a\n" * (MOST_ROWS + 1))
    with pytest.raises(NoTable, match="30 columns"):
        parse(",".join("x" * 31))
    with pytest.raises(NoTable, match="never closed"):
        parse('a,"b\n1,2\n')
    full = parse("a\n" * MOST_ROWS)
    with pytest.raises(NoTable):
        full.add_row(0)


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=6)


@given(st.lists(st.lists(cells, min_size=2, max_size=4), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_what_a_writer_of_tables_wrote_is_read_as_it_meant_and_written_as_it_was(
    rows: list[list[str]], delimiter: str
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    table: Table = parse(out.getvalue(), delimiter)
    assert [[cell.value for cell in row.cells] for row in table.rows] == rows
    assert table.text() == out.getvalue()
    table.set({(0, 0): "a new word"})
    again = list(csv.reader(io.StringIO(table.text(), newline=""), delimiter=delimiter))
    assert again[0] == ["a new word", *rows[0][1:]]
    assert again[1:] == rows[1:]
