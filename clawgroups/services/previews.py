"""What a file's page shows of its content: by what its bytes are, and never more than fits a page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from clawgroups.core.delimited_edit import first_rows, sniff
from clawgroups.core.looks import HEAD, TAIL, Look, decoded, look, suffix_of
from clawgroups.core.side_by_side import Row, side_by_side
from clawgroups.models import Artifact
from clawgroups.services.files import path_of
from clawgroups.services.sheet_previews import COLUMNS, MOST_CELL, ROWS, Grid, grid
from clawgroups.services.zips import Listing, Unreadable, listing

MOST_TEXT = 256 * 1024  # bytes of a text that a page shows
MOST_MARKED = 60_000  # characters of Markdown: to lay out more takes longer than anybody waits
MOST_LINE = 4_000  # characters of one line
MOST_COMPARED = 2 * 1024 * 1024
MOST_DIFFERENT = 1_200  # rows of a comparison
TEXTUAL = frozenset({"text", "markdown", "json", "table", "html", "svg"})
PROSE = frozenset({"", ".txt", ".text", ".log", ".md", ".markdown"})


@dataclass(frozen=True, slots=True)
class Preview:
    """A file as its page shows it. `kind` says how; `why_not`: why there is nothing to see; `notes`: what to know."""

    kind: str
    look: Look
    text: str = ""
    encoding: str = ""
    grid: Grid | None = None
    listing: Listing | None = None
    is_code: bool = False
    is_cut: bool = False
    why_not: str = ""
    notes: tuple[str, ...] = ()

    @property
    def numbers(self) -> str:
        """The numbers of the lines of a code, one below the other."""
        return "\n".join(map(str, range(1, self.text.rstrip("\n").count("\n") + 2)))


def looked_at(row: Artifact) -> Look:
    """What a file is by its bytes. Of one that the store has lost, that it is lost."""
    try:
        with path_of(row.sha256).open("rb") as content:
            size = content.seek(0, 2)
            content.seek(max(0, size - TAIL))
            tail = content.read(TAIL)
            content.seek(0)
            return look(row.name, size, content.read(HEAD), tail)
    except FileNotFoundError:
        return Look("lost", fault="Its bytes are not in the store any more.")


def preview(row: Artifact, *, sheet: int = 0) -> Preview:
    """What there is to see of a file."""
    found = looked_at(row)
    notes = (found.fault,) if found.fault else ()
    path = path_of(row.sha256)
    if found.kind in TEXTUAL:
        return _text(path, row, found)
    try:
        if found.kind == "sheet":
            shown = grid(path, sheet)
            return Preview("table" if shown.rows else "empty-sheet", found, grid=shown, is_cut=shown.cut, notes=notes)
        if found.kind == "zip":
            inside = listing(path)
            return Preview("site" if inside.site else "zip", found, listing=inside, notes=notes)
    except Unreadable as why:
        return Preview("none", found, why_not=str(why), notes=notes)
    if found.kind in ("binary", "lost"):
        return Preview("none", found, why_not=found.fault)
    return Preview(found.kind, found, notes=notes)


def _text(path: Path, row: Artifact, found: Look) -> Preview:
    with path.open("rb") as content:
        read = content.read(MOST_TEXT + 1)
    is_cut = len(read) > MOST_TEXT
    said = decoded(read[:MOST_TEXT], whole=not is_cut)
    if said is None:
        return Preview("none", found, why_not="It is named like a text, but its bytes are none.")
    text, encoding = said
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    notes = [found.fault] if found.fault else []
    if encoding == "cp1252":
        notes.append("It is not in UTF-8: it was read as Windows-1252, and some characters may be others.")
    is_code = suffix_of(row.name) not in PROSE
    made = Preview(found.kind, found, _clipped(text), encoding, is_code=is_code, is_cut=is_cut, notes=tuple(notes))
    if found.kind == "markdown" and len(text) > MOST_MARKED:
        return replace(made, text=_clipped(text[:MOST_MARKED]), is_cut=True)
    if found.kind == "table":
        return _table(made, text, tabs=suffix_of(row.name) != ".csv")
    return _json(made, text) if found.kind == "json" else made


def _clipped(text: str) -> str:
    """The text without what no browser lays out in time: endless lines."""
    lines = text.split("\n")
    if max(map(len, lines)) <= MOST_LINE:
        return text
    return "\n".join(line if len(line) <= MOST_LINE else line[:MOST_LINE] + " …" for line in lines)


def _table(made: Preview, text: str, *, tabs: bool) -> Preview:
    rows, more, fault = first_rows(text, "\t" if tabs else sniff(text), ROWS, COLUMNS)
    if made.is_cut and len(rows) < ROWS and rows:
        rows.pop()  # it ends somewhere in this row
    cells = tuple(tuple(cell if len(cell) <= MOST_CELL else cell[:MOST_CELL] + "…" for cell in row) for row in rows)
    notes = (*made.notes, fault) if fault else made.notes
    return replace(made, grid=Grid(cells), is_cut=made.is_cut or more, notes=notes)


def _json(made: Preview, text: str) -> Preview:
    if made.is_cut:
        return replace(made, notes=(*made.notes, "It is too long to be laid out: it is shown as it stands."))
    try:
        # Piece by piece: what lies deep is indented so far that a short text becomes a thousand times as long.
        shown, more = _up_to(json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(json.loads(text)), MOST_TEXT)
    except json.JSONDecodeError as fault:
        place = f"line {fault.lineno}, column {fault.colno}: {fault.msg}"
        return replace(made, notes=(*made.notes, f"It is no valid JSON ({place}): it is shown as it stands."))
    except (RecursionError, ValueError):
        return replace(made, notes=(*made.notes, "It is nested too deep to be laid out: it is shown as it stands."))
    return replace(made, text=_clipped(shown), is_cut=more)


def _up_to(pieces: Iterable[str], most: int) -> tuple[str, bool]:
    """The first characters of what these pieces make, and whether there is more."""
    found, length = [], 0
    for piece in pieces:
        found.append(piece)
        length += len(piece)
        if length > most:
            return "".join(found)[:most], True
    return "".join(found), False


@dataclass(frozen=True, slots=True)
class Compared:
    """Two revisions beside each other: rows of text, or why there are none."""

    rows: tuple[Row, ...] = ()
    is_cut: bool = False
    same: bool = False
    why_not: str = ""

    @property
    def added(self) -> int:
        return sum(row.right is not None and not row.same for row in self.rows)

    @property
    def gone(self) -> int:
        return sum(row.left is not None and not row.same for row in self.rows)


def compared(before: Artifact, after: Artifact) -> Compared:
    """What differs between two files, line by line, or in a workbook row by row."""
    if before.sha256 == after.sha256:
        return Compared(same=True)
    one, other = _lines(before), _lines(after)
    if one is None or other is None:
        return Compared(why_not="Not both of them are text: only their sizes and hashes can be compared.")
    rows = side_by_side(one, other)
    if rows is None:
        return Compared(why_not="They are too long, and differ in too much, to be compared line by line.")
    if not rows:
        return Compared(same=True, why_not="Only line ends, the encoding or what is not shown of them differ.")
    return Compared(tuple(rows[:MOST_DIFFERENT]), len(rows) > MOST_DIFFERENT)


def _lines(row: Artifact) -> str | None:
    found = looked_at(row)
    try:
        if found.kind == "sheet":
            return "\n".join("\t".join(cells) for cells in grid(path_of(row.sha256), 0).rows)
    except Unreadable:
        return None
    if found.kind == "empty":
        return ""
    if found.kind not in TEXTUAL or row.size > MOST_COMPARED:
        return None
    with path_of(row.sha256).open("rb") as content:
        said = decoded(content.read(MOST_COMPARED), whole=True)
    return None if said is None else _clipped(said[0].replace("\r\n", "\n").replace("\r", "\n"))
