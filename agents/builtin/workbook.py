"""The workbook of a table: its rows, a summary of live formulas, its groups, and a native chart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import localcontext
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_range, xl_rowcol_to_cell

from agents.builtin.chart import ChartData
from agents.builtin.columns import Column, Number
from agents.builtin.facts import EMPTY, Profile
from agents.builtin.stats import SLOT_BUDGET, Numbers, as_json, quantile
from agents.builtin.tables import Check, Table

MOST_ROWS = 100_000
_MOST_CELLS = 600_000
"""Writing a cell takes ten times as long as reading it: wide tables show fewer rows."""
_MOST_TEXT = 32_000
_EXACT = 10**15
"""Above this a spreadsheet rounds: such numbers are kept as text."""
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_FIRST_YEAR = 1900
_MADE = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""The same table gives the same workbook, so its date of making is fixed."""
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "default_date_format": "yyyy-mm-dd",
}


def _median(numbers: Numbers) -> float | None:
    ordered = numbers.ordered()
    return quantile(ordered, 0.5) if ordered else None


_FORMULAS: tuple[tuple[str, str, Callable[[Numbers], float | int | None]], ...] = (
    ("Count", "COUNT({cells})", lambda numbers: numbers.count),
    ("Sum", "SUM({cells})", lambda numbers: as_json(numbers.total)),
    ("Mean", 'IF(COUNT({cells})=0,"",AVERAGE({cells}))', lambda numbers: numbers.mean()),
    ("Median", 'IF(COUNT({cells})=0,"",MEDIAN({cells}))', _median),
    ("Min", 'IF(COUNT({cells})=0,"",MIN({cells}))', lambda numbers: as_json(numbers.low)),
    ("Max", 'IF(COUNT({cells})=0,"",MAX({cells}))', lambda numbers: as_json(numbers.high)),
    ("Stdev", 'IF(COUNT({cells})<2,"",STDEV({cells}))', lambda numbers: numbers.stdev()),
)


class Workbook:
    """Writes one workbook; `write` does all of it and leaves a finished file."""

    def __init__(self, target: Path, table: Table, columns: list[Column], profile: Profile) -> None:
        self._book: Any = xlsxwriter.Workbook(str(target), _OPTIONS)
        self._book.set_properties({"title": table.name, "created": _MADE})
        self._table = table
        self._columns = columns
        self._profile = profile
        self._bold = self._book.add_format({"bold": True, "bottom": 1})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._moment = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._as_text = self._book.add_format({"quote_prefix": True})
        self._number = self._book.add_format({"num_format": "#,##0.00"})
        self._kept: dict[int, Numbers] = {}

    def write(self, chart: ChartData | None, check: Check) -> None:
        """Write all sheets; raises `Stopped` through `check` and then leaves no open file behind."""
        try:
            sheets = [self._book.add_worksheet(title) for title in ("Summary", "Data", "Groups", "Chart")]
            with localcontext(prec=200):
                rows = self._data(sheets[1], check)
            self._summary(sheets[0], rows)
            self._groups(sheets[2])
            self._chart(sheets[3], chart)
            sheets[0].activate()
        finally:
            self._book.close()

    def _text(self, sheet: Any, row: int, column: int, text: str, style: Any = None) -> None:
        """Text stays text: what a spreadsheet would take for a formula gets the mark for text."""
        risky = text.startswith(_RISKY)
        sheet.write_string(row, column, text[:_MOST_TEXT], self._as_text if risky else style)

    def _data(self, sheet: Any, check: Check) -> int:
        for place, column in enumerate(self._columns):
            self._text(sheet, 0, place, column.name, self._bold)
        sheet.freeze_panes(1, 0)
        numeric = [place for place, column in enumerate(self._columns) if column.reading == "number"]
        self._kept = {place: Numbers(SLOT_BUDGET // max(len(numeric), 1)) for place in numeric}
        row, most = 1, min(MOST_ROWS, max(_MOST_CELLS // len(self._columns), 1))
        for batch in self._table.batches(check):
            room = most + 1 - row
            if room <= 0:
                break
            writers = [
                self._writer(sheet, place, column, batch.columns[place][:room], row)
                for place, column in enumerate(self._columns)
            ]
            for number in range(min(batch.size, room)):
                if number % 256 == 0:
                    check()
                for write in writers:
                    write(number)
            row += min(batch.size, room)
        return row - 1

    def _writer(self, sheet: Any, place: int, column: Column, cells: list[str], first: int) -> Callable[[int], None]:
        if column.reading == "number":
            return self._number_writer(sheet, place, column, cells, first)

        def write(number: int) -> None:
            cell = cells[number]
            if not cell or column.is_missing(cell):
                return
            when = column.date(cell) if column.reading == "date" else None
            if when is not None and len(when) >= 10 and int(when[:4]) >= _FIRST_YEAR:
                style = self._moment if len(when) > 10 else self._day
                sheet.write_datetime(first + number, place, _moment(when), style)
            elif column.reading == "boolean":
                sheet.write_boolean(first + number, place, column.label(cell) == "true")
            else:
                self._text(sheet, first + number, place, cell)

        return write

    def _number_writer(
        self, sheet: Any, place: int, column: Column, cells: list[str], first: int
    ) -> Callable[[int], None]:
        values = [_drawn(value) for value in column.numbers(cells)]
        self._kept[place].add(first, values)

        def write(number: int) -> None:
            value = values[number]
            if value is not None:
                sheet.write_number(first + number, place, value)
            elif cells[number] and not column.is_missing(cells[number]):
                self._text(sheet, first + number, place, cells[number])

        return write

    def _summary(self, sheet: Any, rows: int) -> None:
        cut = rows < self._profile["rows"]
        scope = f"the first {rows:,} of {self._profile['rows']:,} rows" if cut else f"all {rows:,} rows"
        self._text(sheet, 0, 0, f"Summary of {self._table.name}: formulas over {scope} on the sheet Data", self._bold)
        heads = ["Column", *(head for head, _, _ in _FORMULAS), *(["Sum of the whole file"] if cut else [])]
        for place, head in enumerate(heads):
            sheet.write_string(2, place, head, self._bold)
        sheet.set_column(0, 0, 28)
        sheet.set_column(1, len(heads), 15)
        for line, (place, numbers) in enumerate(self._kept.items(), 3):
            self._text(sheet, line, 0, self._columns[place].name)
            cells = f"Data!{xl_range(1, place, max(rows, 1), place)}"
            for column, (head, formula, value) in enumerate(_FORMULAS, 1):
                cached = value(numbers)
                style = None if head == "Count" else self._number
                text = "=" + formula.format(cells=cells)
                sheet.write_formula(line, column, text, style, "" if cached is None else cached)
            whole = self._profile["columns"][place]["sum"]
            if cut and whole is not None:
                sheet.write_number(line, len(heads) - 1, whole, self._number)
        self._counts(sheet, 5 + len(self._kept), rows)

    def _counts(self, sheet: Any, line: int, rows: int) -> None:
        others = [place for place in range(len(self._columns)) if place not in self._kept]
        if not others:
            return
        for place, head in enumerate(("Column", "Type", "Filled", "Distinct (whole file)")):
            sheet.write_string(line, place, head, self._bold)
        for number, place in enumerate(others, line + 1):
            entry = self._profile["columns"][place]
            self._text(sheet, number, 0, entry["name"])
            sheet.write_string(number, 1, entry["type"])
            if rows == self._profile["rows"] and entry["type"] != "mixed":
                cells = f"Data!{xl_range(1, place, max(rows, 1), place)}"
                sheet.write_formula(number, 2, f"=COUNTA({cells})", None, entry["count"])
            else:
                sheet.write_number(number, 2, entry["count"])
            sheet.write_number(number, 3, entry["distinct"])

    def _groups(self, sheet: Any) -> None:
        sheet.set_column(0, 2, 22)
        sheet.set_column(3, 5, 15)
        for place, head in enumerate(("Group", "Key", "Measure", "Count", "Sum", "Mean")):
            sheet.write_string(0, place, head, self._bold)
        line = 1
        entries = [(group["by"], group) for group in self._profile["groups"]]
        entries += [(series["date"], series) for series in self._profile["series"]]
        for by, entry in entries:
            for key, count, total, mean in entry["rows"]:
                self._text(sheet, line, 0, by)
                self._text(sheet, line, 1, EMPTY if key is None else str(key))
                self._text(sheet, line, 2, entry["measure"])
                sheet.write_number(line, 3, count)
                sheet.write_number(line, 4, total, self._number)
                if mean is not None:
                    sheet.write_number(line, 5, mean, self._number)
                line += 1
        sheet.freeze_panes(1, 0)
        if line > 1:
            sheet.autofilter(0, 0, line - 1, 5)

    def _chart(self, sheet: Any, data: ChartData | None) -> None:
        if data is None:
            sheet.write_string(0, 0, "There is nothing to draw: no column groups, counts or varies.")
            return
        self._text(sheet, 0, 0, data.title, self._bold)
        sheet.set_column(0, 0, 24)
        for line, (label, value) in enumerate(zip(data.labels, data.values, strict=True), 1):
            self._text(sheet, line, 0, label)
            sheet.write_number(line, 1, value, self._number)
        last = len(data.values)
        chart = self._book.add_chart({"type": "line" if data.kind == "line" else "bar"})
        chart.add_series(
            {"categories": ["Chart", 1, 0, last, 0], "values": ["Chart", 1, 1, last, 1], "name": data.title}
        )
        chart.set_title({"name": data.title, "name_font": {"size": 12}})
        chart.set_legend({"none": True})
        if data.kind == "bars":
            chart.set_y_axis({"reverse": True})
        chart.set_size({"width": 720, "height": 400})
        place = xl_rowcol_to_cell(1, 3)
        sheet.insert_chart(place, chart, {"description": data.description})


def _drawn(value: Number | None) -> Number | None:
    return value if value is not None and -_EXACT < value < _EXACT else None


def _moment(text: str) -> datetime | date:
    return datetime.fromisoformat(text) if len(text) > 10 else date.fromisoformat(text)
