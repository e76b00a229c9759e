"""Opens a CSV, TSV or XLSX file as one or more tables of text columns, read in batches so that memory stays bounded."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agents.builtin import delimited, sheets
from agents.builtin.delimited import Batch, Tally, TextFile
from agents.builtin.failures import TableError
from agents.builtin.marks import squeeze

TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt"})
SHEET_SUFFIXES = frozenset({".xlsx", ".xlsm"})
OTHER_TABLES = {
    ".xls": "an old Excel file",
    ".xlsb": "a binary Excel file",
    ".ods": "an OpenDocument file",
    ".parquet": "a Parquet file",
    ".numbers": "a Numbers file",
}
Check = Callable[[], None]
"""Called between batches; raises `Stopped` when the work is no longer wanted."""


@dataclass
class Table:
    """One table: its name in source marks (`file` or `file#sheet`), its columns, and how to read its rows."""

    name: str
    file: str
    sheet: str | None
    sha256: str
    columns: list[str]
    text: TextFile
    notes: list[str] = field(default_factory=list)

    def batches(self, check: Check, tally: Tally | None = None) -> Iterator[Batch]:
        """The rows in order, as columns of stripped text; `tally` counts the lines that did not fit."""
        return self.text.batches(check, tally or Tally())


@contextlib.contextmanager
def open_tables(path: Path, name: str, check: Check = lambda: None) -> Iterator[list[Table]]:
    """The tables of a file; raises `TableError`, whose text says what is wrong and what to do about it."""
    suffix = path.suffix.casefold()
    if path.stat().st_size == 0:
        raise TableError(f"{name} is empty (0 bytes). Send the file again, or export it once more.")
    if suffix in OTHER_TABLES:
        raise TableError(f"{name} is {OTHER_TABLES[suffix]}, which is not read here. Save it as XLSX or CSV.")
    if suffix in SHEET_SUFFIXES:
        with tempfile.TemporaryDirectory(prefix="clawgroups-sheets-") as folder:
            yield _sheet_tables(path, name, Path(folder), check)
        return
    yield [_text_table(path, name, check)]


def _text_table(path: Path, name: str, check: Check) -> Table:
    found = delimited.inspect(path, name, check)
    tabs = path.suffix.casefold() in (".tsv", ".tab")
    text, columns, notes = delimited.layout(path, name, found.encoding, tabs=tabs, odd_quotes=found.odd_quotes)
    return Table(squeeze(name), name, None, found.sha256, columns, text, [*found.notes, *notes])


def _sheet_tables(path: Path, name: str, folder: Path, check: Check) -> list[Table]:
    digest = delimited.sha256_of(path, check)
    pages = sheets.spool(path, name, folder, check)
    tables, empty = [], []
    for page in pages:
        try:
            text, columns, notes = delimited.layout(page.path, f"sheet {page.title!r} of {name}", "utf-8", comma=True)
        except TableError:
            empty.append(page.title)
            continue
        full = squeeze(f"{name}#{page.title}" if len(pages) > 1 else name)
        tables.append(Table(full, name, page.title, digest, columns, text, notes))
    if not tables:
        raise TableError(f"{name} has no sheet with a header line and rows below it. Add rows, or choose another file.")
    for title in empty:
        tables[0].notes.append(f"The sheet {title!r} has no rows below a header line and was left out.")
    return tables
