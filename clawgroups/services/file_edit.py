"""A file of a draft as an editor shows it, and its bytes once it was edited: as a table, or as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from clawgroups.core.delimited_edit import NoTable, Table, parse
from clawgroups.core.errors import Invalid
from clawgroups.models import Artifact
from clawgroups.services.drafts import MAX_DRAFT, clean_draft
from clawgroups.services.files import StoredFile, open_file, store

TABLES = {".csv": None, ".tsv": "\t", ".tab": "\t"}
MOST_BYTES = 1024 * 1024
# How a text may be written, in the order in which it is tried; what is read so is written so.
ENCODINGS = ("utf-8-sig", "utf-8", "cp1252")
BOM = "\ufeff".encode()


@dataclass(frozen=True, slots=True)
class Opened:
    """A file as it is edited. `table` where it is one; `why_not` where it cannot be edited (or not as a table)."""

    text: str = ""
    encoding: str = "utf-8"
    table: Table | None = None
    editable: bool = True
    why_not: str = ""

    @property
    def shown(self) -> str:
        """The text as a form shows it and gives it back."""
        return self.text.replace("\r\n", "\n").replace("\r", "\n")


def is_table(name: str) -> bool:
    """Whether a file's name says that it is delimited text."""
    return PurePosixPath(name).suffix.casefold() in TABLES


def opened(row: Artifact) -> Opened:
    """A file as it is edited."""
    if row.size > MOST_BYTES:
        return Opened(editable=False, why_not="It is too large to be edited here. Download it, change it, replace it.")
    with open_file(row.sha256) as content:
        found = _decoded(content.read())
    if found is None:
        return Opened(editable=False, why_not="It is no text. Download it, change it, replace it.")
    text, encoding = found
    if not is_table(row.name):
        return Opened(text, encoding)
    try:
        return Opened(text, encoding, parse(text, TABLES[PurePosixPath(row.name).suffix.casefold()]))
    except NoTable as why:
        return Opened(text, encoding, why_not=str(why))


def _decoded(content: bytes) -> tuple[str, str] | None:
    for encoding in ENCODINGS:
        if encoding == "utf-8-sig" and not content.startswith(BOM):
            continue
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text or len(text) > MAX_DRAFT or text.encode(encoding) != content:
            return None
        return text, encoding
    return None


def edited_text(row: Artifact, typed: str) -> StoredFile:
    """A text file as it was typed, with the line ends that it had."""
    before = opened(row)
    typed = clean_draft(typed)
    if not before.editable:
        raise Invalid(before.why_not, field="text", code="not_editable")
    if typed == before.shown:
        return _written(row, before, before.text)
    ends = {end: before.text.count(end) for end in ("\r\n", "\n", "\r")}
    ends["\n"] -= ends["\r\n"]
    ends["\r"] -= ends["\r\n"]
    most = max(ends, key=lambda end: ends[end])
    return _written(row, before, typed.replace("\n", most) if ends[most] else typed)


def edited_table(row: Artifact, cells: Mapping[tuple[int, int], str], do: str = "") -> StoredFile:
    """A table with cells as they were typed, and then a row or column more or less.

    `do`: "add-row:3" and "add-column:3" (before that one), "drop-row:3", "drop-column:3".
    """
    before = opened(row)
    if before.table is None:
        raise Invalid(before.why_not or "This file is not edited as a table.", field="cells", code="not_editable")
    before.table.set({place: value.replace("\x00", "") for place, value in cells.items()})
    verb, _, at = do.partition(":")
    if verb:
        _carry_out(before.table, verb, at)
    return _written(row, before, before.table.text())


def _carry_out(table: Table, verb: str, at: str) -> None:
    verbs = {
        "add-row": table.add_row,
        "drop-row": table.drop_row,
        "add-column": table.add_column,
        "drop-column": table.drop_column,
    }
    if verb not in verbs or not at.isascii() or not at.isdecimal() or len(at) > 4:
        raise Invalid("Say what to do as, e.g., “add-row:3”.", field="do")
    try:
        verbs[verb](int(at))
    except NoTable as why:
        raise Invalid(str(why), field="do", code="too_large_a_table") from None


def _written(row: Artifact, before: Opened, text: str) -> StoredFile:
    try:
        content = text.encode(before.encoding)
    except UnicodeEncodeError as wrong:
        sign = text[wrong.start : wrong.start + 1]
        raise Invalid(
            f"“{sign}” cannot be written in this file's encoding ({before.encoding}). "
            "Leave it out, or replace the file by one in UTF-8.",
            field="text",
            code="not_encodable",
        ) from None
    return store([content], name=row.name, content_type=row.content_type)
