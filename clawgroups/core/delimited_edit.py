"""A small table in delimited text, changed cell by cell: what nobody touched stays as it was, byte for byte.

Cells are only text here: nothing in them is a number, a date or a formula.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

MOST_ROWS = 200
MOST_COLUMNS = 30
DELIMITERS = ("\t", ";", "|", ",")  # of two that fit alike the first: a comma may stand in numbers
QUOTE = '"'


class NoTable(ValueError):
    """This text is not edited as a table; says why."""


@dataclass(slots=True)
class Cell:
    """One cell: as it stands in the file, and what it says."""

    raw: str
    value: str


@dataclass(slots=True)
class Row:
    """A line of the table, with the line end it had."""

    cells: list[Cell]
    end: str


@dataclass(slots=True)
class Table:
    """Rows of cells; may be ragged."""

    delimiter: str
    rows: list[Row] = field(default_factory=list)

    @property
    def width(self) -> int:
        """The number of cells of the longest row."""
        return max((len(row.cells) for row in self.rows), default=0)

    def text(self) -> str:
        """The table as the file holds it."""
        return "".join(self.delimiter.join(cell.raw for cell in row.cells) + row.end for row in self.rows)

    def set(self, cells: Mapping[tuple[int, int], str]) -> None:
        """Change cells, by row and column. One that says the same as before stays as it is written."""
        for (row, column), value in sorted(cells.items()):
            if row >= len(self.rows) or column >= max(self.width, 1):
                continue
            line = self.rows[row].cells
            if column >= len(line):
                if not value:
                    continue
                line += [Cell("", "") for _ in range(column - len(line) + 1)]
            if plain(line[column].value) != plain(value):
                line[column] = self._written(value, quoted=line[column].raw.startswith(QUOTE))

    def add_row(self, at: int) -> None:
        """An empty row before the row `at`; at the end where there is none."""
        at = min(max(at, 0), len(self.rows))
        if len(self.rows) >= MOST_ROWS:
            raise NoTable(f"A table with more than {MOST_ROWS} rows is edited as text, or replaced.")
        cells = [self._written("", quoted=self._all_quoted) for _ in range(max(self.width, 1))]
        end = self._end
        if at == len(self.rows) and self.rows:
            # The last row keeps what the file ends with; the one before it gets a line end.
            end, self.rows[-1].end = self.rows[-1].end, self.rows[-1].end or end
        self.rows.insert(at, Row(cells, end))

    def drop_row(self, at: int) -> None:
        """Take a row out."""
        if not 0 <= at < len(self.rows):
            return
        gone = self.rows.pop(at)
        if at == len(self.rows) and self.rows:
            self.rows[-1].end = gone.end

    def add_column(self, at: int) -> None:
        """An empty column before the column `at`."""
        if self.width >= MOST_COLUMNS:
            raise NoTable(f"A table with more than {MOST_COLUMNS} columns is edited as text, or replaced.")
        at = min(max(at, 0), self.width)
        for row in self.rows:
            if len(row.cells) >= at:
                row.cells.insert(at, self._written("", quoted=self._all_quoted))

    def drop_column(self, at: int) -> None:
        """Take a column out."""
        if self.width <= 1:
            return
        for row in self.rows:
            if at < len(row.cells):
                del row.cells[at]

    @property
    def _end(self) -> str:
        ends = Counter(row.end for row in self.rows if row.end)
        return ends.most_common(1)[0][0] if ends else "\n"

    @property
    def _all_quoted(self) -> bool:
        cells = [cell for row in self.rows for cell in row.cells]
        return bool(cells) and all(cell.raw.startswith(QUOTE) for cell in cells)

    def _written(self, value: str, *, quoted: bool) -> Cell:
        needed = any(sign in value for sign in (self.delimiter, QUOTE, "\n", "\r"))
        raw = QUOTE + value.replace(QUOTE, QUOTE * 2) + QUOTE if quoted or needed else value
        return Cell(raw, value)


def plain(value: str) -> str:
    """A cell's value as a form gives it back: with one kind of line end."""
    return value.replace("\r\n", "\n").replace("\r", "\n")


def parse(text: str, delimiter: str | None = None) -> Table:
    """The table in a text. Raises `NoTable` for one that is too large, or not to be read as one."""
    table = Table(delimiter or sniff(text))
    for row in _rows(text, table.delimiter):
        table.rows.append(row)
        if len(table.rows) > MOST_ROWS or len(row.cells) > MOST_COLUMNS:
            raise NoTable(
                f"It has more than {MOST_ROWS} rows or {MOST_COLUMNS} columns. Edit it as text, or replace it."
            )
    return table


def first_rows(text: str, delimiter: str, rows: int, columns: int) -> tuple[list[list[str]], bool, str]:
    """The first cells of a table of any size, whether there is more of it, and why it could not be read to there."""
    found: list[list[str]] = []
    more = False
    try:
        for row in _rows(text, delimiter):
            if len(found) == rows:
                return found, True, ""
            more = more or len(row.cells) > columns
            found.append([cell.value for cell in row.cells[:columns]])
    except NoTable:
        return found, True, "One of its quotation marks is never closed: from there on it is not shown as a table."
    return found, more, ""


def sniff(text: str) -> str:
    """The delimiter that cuts the first lines into the same number of cells, as many as possible."""

    def fits(delimiter: str) -> tuple[float, int]:
        widths = []
        with suppress(NoTable):  # the piece may end in the middle of a cell
            widths += [len(row.cells) for row, _ in zip(_rows(text[:20_000], delimiter), range(20), strict=False)]
        common, times = Counter(widths).most_common(1)[0] if widths else (1, 0)
        return (times / max(len(widths), 1) if common > 1 else 0.0, common)

    best = max(DELIMITERS, key=fits)
    return best if fits(best)[0] else ","


def _rows(text: str, delimiter: str) -> Iterator[Row]:
    at, cells = 0, []
    while at < len(text):
        cell, at = _cell(text, at, delimiter)
        cells.append(cell)
        if text.startswith(delimiter, at):
            at += 1
            if at < len(text):
                continue
            cells.append(Cell("", ""))
        end = "\r\n" if text.startswith("\r\n", at) else text[at : at + 1]
        at += len(end)
        yield Row(cells, end)
        cells = []


def _cell(text: str, at: int, delimiter: str) -> tuple[Cell, int]:
    """A cell, and where it ends: before a delimiter, a line end or the end of the text."""
    begin, value = at, ""
    if text.startswith(QUOTE, at):
        closed = at + 1
        while (closed := text.find(QUOTE, closed)) >= 0 and text.startswith(QUOTE * 2, closed):
            closed += 2
        if closed < 0:
            raise NoTable("One of its quotation marks is never closed. Edit it as text.")
        value, at = text[at + 1 : closed].replace(QUOTE * 2, QUOTE), closed + 1
    rest = at
    while at < len(text) and text[at] not in (delimiter, "\r", "\n"):
        at += 1
    return Cell(text[begin:at], value + text[rest:at]), at
