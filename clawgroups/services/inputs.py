"""Files that come with a goal: what is named as a table must be one, so that nobody learns it from a failed run."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from agents.builtin import delimited
from agents.builtin.failures import TableError
from clawgroups.core.errors import Invalid
from clawgroups.services.files import StoredFile, store

TEXT = frozenset({".csv", ".tsv", ".tab"})
SHEETS = frozenset({".xlsx", ".xlsm"})
MAX_UNPACKED = 200 * 1024 * 1024
MAX_RATIO = 100
MAX_MEMBERS = 2000
MAX_LOOKED_AT = 8 * 1024 * 1024
PIECE = 64 * 1024


def store_input(chunks: Iterable[bytes], *, name: str, content_type: str = "") -> StoredFile:
    """Take a file of a goal in. Raises `Invalid` for a table that holds no rows or is no table; nothing is kept."""
    return store(chunks, name=name, content_type=content_type, check=check_table)


def check_table(path: Path, name: str) -> None:
    """Look into a file that its name calls a table, in bounded memory. Raises `Invalid` saying what to do."""
    suffix = PurePosixPath(name).suffix.casefold()
    try:
        if suffix in TEXT:
            _check_text(path, name, tabs=suffix != ".csv")
        elif suffix in SHEETS:
            _check_workbook(path, name)
    except TableError as wrong:
        raise Invalid(str(wrong), code="bad_table", field="files", file=name) from None


def _check_text(path: Path, name: str, *, tabs: bool) -> None:
    if path.stat().st_size == 0:
        raise TableError(f"{name} is empty (0 bytes). Send the file again, or export it once more.")
    found = delimited.inspect(path, name, _go_on)
    delimited.layout(path, name, found.encoding, tabs=tabs)


def _check_workbook(path: Path, name: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_bomb(archive, path.stat().st_size, name)
            sheets = [m for m in archive.namelist() if m.startswith("xl/worksheets/") and m.endswith(".xml")]
            if "xl/workbook.xml" not in archive.namelist() or not sheets:
                raise TableError(f"{name} is no workbook. Save it again as XLSX, or as CSV.")
            if not any(_has_rows(archive, sheet) for sheet in sheets):
                raise TableError(
                    f"{name} has no sheet with a header line and rows below it. Add rows, or choose another file."
                )
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ParseError):
        raise TableError(
            f"{name} is not an XLSX file: it is damaged, locked with a password, or only named so. "
            "Save it again as XLSX without a password, or as CSV."
        ) from None


def _refuse_bomb(archive: zipfile.ZipFile, size: int, name: str) -> None:
    members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    if unpacked > MAX_UNPACKED or len(members) > MAX_MEMBERS or unpacked > MAX_RATIO * max(size, PIECE):
        raise TableError(
            f"{name} unpacks to more than is taken here ({MAX_UNPACKED // 1024**2} MB, {MAX_RATIO} times its size). "
            "Split it, or save it as CSV."
        )


def _has_rows(archive: zipfile.ZipFile, sheet: str) -> bool:
    """Whether two rows hold a cell with something in it; a very long beginning without one is passed."""
    with archive.open(sheet) as stream:
        return sum(1 for _, _ in zip(_filled_rows(stream), range(2), strict=False)) == 2


def _filled_rows(stream: IO[bytes]) -> Iterator[None]:
    # Events as they come: shared strings and the rest of the sheet are never held.
    parser: XMLPullParser[Element] = XMLPullParser(["end"])
    filled = False
    for _ in range(MAX_LOOKED_AT // PIECE):
        piece = stream.read(PIECE)
        if b"<!DOCTYPE" in piece:
            raise ParseError("a document type is not taken")
        if not piece:
            return
        parser.feed(piece)
        for _, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
            tag = element.tag.rpartition("}")[2]
            filled = filled or (tag in ("v", "t") and bool((element.text or "").strip()))
            if tag == "row":
                if filled:
                    yield
                filled = False
                element.clear()
    yield from (None, None)


def _go_on() -> None:
    """Nobody cancels a check."""
