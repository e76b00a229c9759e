"""XLSX: each sheet is copied once, row by row, into a text file, so that everything after it has one way to read."""

from __future__ import annotations

import contextlib
import csv
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from agents.builtin.failures import TableError

_UNPACKED_LIMIT = 4 * 1024**3
_CHECK_EVERY = 512
# openpyxl warns of styles and extensions that it leaves out; values are all that is read here.
warnings.filterwarnings("ignore", module=r"openpyxl\..*")


@dataclass(frozen=True)
class Page:
    """One sheet, as a comma-separated file in UTF-8."""

    title: str
    path: Path


def spool(path: Path, name: str, folder: Path, check: Callable[[], None]) -> list[Page]:
    """Copy every sheet that holds anything into `folder`; raises `TableError` when the file is no workbook."""
    _refuse_bomb(path, name)
    with path.open("rb") as content, contextlib.closing(_book(content, name)) as book:
        pages = []
        for number, sheet in enumerate(book.worksheets):
            target = folder / f"{number}.csv"
            if _copy(sheet, target, check):
                pages.append(Page(sheet.title, target))
    if not pages:
        raise TableError(f"{name} has only empty sheets. Send the file again, or choose another one.")
    return pages


def _book(content: IO[bytes], name: str) -> Any:
    """The workbook, to be read row by row. What reads it takes 15 MiB, and is loaded with the first one."""
    try:
        return import_module("openpyxl").load_workbook(content, read_only=True, data_only=True, keep_links=False)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise TableError(
            f"{name} is not a workbook that can be read ({error}). Save it again as XLSX, or as CSV."
        ) from error


def _refuse_bomb(path: Path, name: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        raise TableError(
            f"{name} is not an XLSX file: it is damaged, locked with a password, or only named so. "
            "Save it again as XLSX without a password, or as CSV."
        ) from error
    if size > _UNPACKED_LIMIT:
        raise TableError(f"{name} unpacks to more than {_UNPACKED_LIMIT >> 30} GiB. Split it, or save it as CSV.")


def _copy(sheet: Any, target: Path, check: Callable[[], None]) -> int:
    # The size written in the file is often wrong; without it every row that is there is read.
    sheet.reset_dimensions()
    copied = 0
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        for number, row in enumerate(sheet.iter_rows(values_only=True)):
            if number % _CHECK_EVERY == 0:
                check()
            texts = [as_text(value) for value in row]
            if any(texts):
                writer.writerow(texts)
                copied += 1
    return copied


def as_text(value: Any) -> str:
    """One cell of a workbook as text that reads back as the same value."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        text = repr(value)
        return format(Decimal(text), "f") if "e" in text else text
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date | time) else str(value)
