"""The first rows of a workbook's sheet, in bounded memory and time: workbooks come from agents, and may be bombs."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from clawgroups.services.zips import TOO_MUCH, Bounded, Unreadable, opened

ROWS, COLUMNS = 200, 50
MOST_CELL = 500
MOST_PARTS = 6 * 1024 * 1024  # what is read whole: shared strings, styles, the list of sheets
MOST_LOOKED_AT = 8 * 1024 * 1024
MOST_CHECKED = 64 * 1024 * 1024  # what is unpacked to find where rows end
MOST_READ = 8 * 1024 * 1024  # of everything together: a second of work for each two of them
MOST_WHOLE = 1024 * 1024  # styles and the like, of which each byte becomes a hundred
PIECE = 256 * 1024
READER = "openpyxl.reader.excel"  # 15 MiB with all that it takes: loaded with the first workbook that is shown
_DAMAGED = "It is named as a workbook, but it is damaged or locked with a password."


@dataclass(frozen=True, slots=True)
class Grid:
    """The first rows of a table. `cut`: there is more of it."""

    rows: tuple[tuple[str, ...], ...]
    cut: bool = False
    sheets: tuple[str, ...] = ()
    sheet: int = 0
    note: str = ""

    @property
    def width(self) -> int:
        return max((len(row) for row in self.rows), default=0)

    @property
    def head(self) -> tuple[str, ...]:
        return self.rows[0] if self.rows else ()


def grid(path: Path, sheet: int) -> Grid:
    """A sheet of a workbook, by its place. Raises `Unreadable`."""
    with opened(path, left=MOST_CHECKED) as archive:
        _bounded(archive)
    try:
        with opened(path, left=MOST_READ, whole=MOST_WHOLE) as archive, warnings.catch_warnings():
            # Styles and extensions that are left out; values are all that is shown.
            warnings.simplefilter("ignore")
            return _read(_book(path, archive), sheet)
    except Unreadable:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OSError, EOFError, ParseError) as fault:
        raise Unreadable(_DAMAGED) from fault
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as fault:
        raise Unreadable(_DAMAGED) from fault


def _book(path: Path, archive: Bounded) -> Any:
    """The workbook as the library sees it, which reads through our archive: its own believes what it is told."""
    # By its bytes: a path of the store has no suffix.
    with path.open("rb") as content:
        reader = import_module(READER).ExcelReader(content, read_only=True, data_only=True, keep_links=False)
        reader.archive.close()
    reader.archive = archive
    reader.read()
    return reader.wb


def _bounded(archive: zipfile.ZipFile) -> None:
    """Refuse a workbook of which more would be held than is shown."""
    parts = 0
    for info in archive.infolist():
        if info.filename.startswith("xl/worksheets/"):
            if info.file_size > MOST_LOOKED_AT:
                _refuse_wide_rows(archive, info)
        elif info.filename.endswith((".xml", ".rels")):
            parts += info.file_size
    if parts > MOST_PARTS:
        raise Unreadable(TOO_MUCH)


def _refuse_wide_rows(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Rows are read one by one: those that are shown must end within what is looked at."""
    rows = looked = 0
    with archive.open(info) as content:
        while looked < MOST_LOOKED_AT and rows <= ROWS and (piece := content.read(PIECE)):
            if b"<!DOCTYPE" in piece:
                raise Unreadable(_DAMAGED)
            rows += piece.count(b"row>")
            looked += len(piece)
    if rows <= ROWS:
        raise Unreadable("Its rows are too long to be shown here. Download it, and open it in a spreadsheet.")


def _read(book: Any, sheet: int) -> Grid:
    sheets = book.worksheets
    names = tuple(str(one.title) for one in sheets)
    if not sheets:
        raise Unreadable("There is no sheet with cells in it.")
    sheet = sheet if 0 <= sheet < len(sheets) else 0
    shown = sheets[sheet]
    found = list(shown.iter_rows(min_row=1, max_row=ROWS, max_col=COLUMNS, values_only=True))
    rows = _trimmed([_texts(row) for row in found])
    cut = (shown.max_row or 0) > ROWS or (shown.max_column or 0) > COLUMNS or len(found) == ROWS
    return Grid(rows, cut, names, sheet)


def _texts(row: Iterable[Any]) -> tuple[str, ...]:
    return tuple(_text(value) for value in row)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    said = value.isoformat() if isinstance(value, date | time) else str(value)
    return said if len(said) <= MOST_CELL else said[:MOST_CELL] + "…"


def _trimmed(rows: list[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Without empty rows and columns at the end."""
    while rows and not any(rows[-1]):
        rows.pop()
    width = max((n + 1 for row in rows for n, value in enumerate(row) if value), default=0)
    return tuple(row[:width] for row in rows)
