"""Delimited text: which encoding, which delimiter, where the header is, and the rows in batches."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from agents.builtin import cells
from agents.builtin.failures import TableError

BATCH = 4096
_CHUNK = 1 << 20
_SAMPLE = 1 << 16
_SNIFF_LINES = 200
_PREAMBLE = 20
_SWALLOWED = 200
_DELIMITERS = "\t;|,"
_VALUE_KINDS = frozenset({"int", "dot", "comma", "either-dot", "either-comma"})
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive (an XLSX file is one)"),
    (b"\xd0\xcf\x11\xe0", "an old Office document, or one locked with a password"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# An unclosed quote would otherwise swallow the rest of the file into one cell.
csv.field_size_limit(4 * 1024 * 1024)


@dataclass(frozen=True)
class Inspected:
    """What the bytes of a text file say: its encoding, its hash, and what a reader should know."""

    encoding: str
    sha256: str
    notes: list[str]
    odd_quotes: bool
    """An odd number of quotation marks: one of them is never closed, somewhere."""


@dataclass
class Tally:
    """Lines that did not fit the header, counted while reading; none of them is lost but blank ones."""

    short: int = 0
    long: int = 0
    blank: int = 0
    first_ragged: int = 0


@dataclass(frozen=True)
class Batch:
    """Some rows as columns of stripped text; `start` is the number of the first row, counted from 1."""

    start: int
    size: int
    columns: list[list[str]]


@dataclass
class TextFile:
    """How to read the rows of a delimited file."""

    path: Path
    encoding: str
    delimiter: str
    skip: int
    width: int
    quoting: bool = True
    _padded: set[int] = field(default_factory=set)
    _read_once: bool = False

    def batches(self, check: Callable[[], None], tally: Tally) -> Iterator[Batch]:
        """The rows below the header in order; blank lines are left out, ragged ones are evened and counted."""
        start = 1
        with self.path.open(encoding=self.encoding, errors="replace", newline="") as stream:
            reader = self._reader(stream)
            for _ in islice(reader, self.skip):
                pass
            while rows := self._next(reader):
                check()
                rows = self._even(rows, start, tally)
                if rows:
                    yield Batch(start, len(rows), self._stripped(rows))
                start += len(rows)
            self._read_once = True

    def _stripped(self, rows: list[list[str]]) -> list[list[str]]:
        """The cells by column without blanks around them; after one reading only where there were any."""
        columns = []
        for place, column in enumerate(map(list, zip(*rows, strict=True))):
            if self._read_once and place not in self._padded:
                columns.append(column)
                continue
            bare = list(map(str.strip, column))
            if bare != column:
                self._padded.add(place)
            columns.append(bare)
        return columns

    def _reader(self, stream: io.TextIOBase) -> Iterator[list[str]]:
        if self.quoting:
            return csv.reader(stream, delimiter=self.delimiter)
        return csv.reader(stream, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)

    def _next(self, reader: Iterator[list[str]]) -> list[list[str]]:
        try:
            return list(islice(reader, BATCH))
        except csv.Error as error:
            raise TableError(f"{self.path.name} cannot be split into cells ({error}).") from error

    def _even(self, rows: list[list[str]], start: int, tally: Tally) -> list[list[str]]:
        width = self.width
        if set(map(len, rows)) == {width} and [""] * width not in rows:
            return rows
        even: list[list[str]] = []
        for row in rows:
            if not any(cell.strip() for cell in row):
                tally.blank += 1
            elif len(row) != width:
                even.append(self._fit(row, start + len(even), tally))
            else:
                even.append(row)
        return even

    def _fit(self, row: list[str], number: int, tally: Tally) -> list[str]:
        surplus = [cell for cell in row[self.width :] if cell.strip()]
        if len(row) < self.width or surplus:
            tally.first_ragged = tally.first_ragged or number
            tally.short += len(row) < self.width
            tally.long += bool(surplus)
        return row[: self.width] + [""] * (self.width - len(row))


def sha256_of(path: Path, check: Callable[[], None]) -> str:
    """The hash of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            check()
            digest.update(chunk)
    return digest.hexdigest()


def inspect(path: Path, name: str, check: Callable[[], None]) -> Inspected:
    """Find the encoding by reading every byte once; raises `TableError` for what is not text."""
    with path.open("rb") as stream:
        head = stream.read(_SAMPLE)
    encoding = _encoding_by_mark(head) or _encoding_by_zeros(head)
    if encoding is None:
        _refuse_binary(head, name)
        encoding = "utf-8"
    digest, valid, quotes = hashlib.sha256(), True, 0
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            check()
            digest.update(chunk)
            quotes += chunk.count(b'"')
            valid = valid and _decodes(decoder, chunk)
    valid = valid and _decodes(decoder, b"", final=True)
    notes = []
    if not valid and encoding == "utf-8":
        encoding = "cp1252"
        notes.append("The file is not UTF-8; it was read as Windows-1252: letters outside Western Europe may be wrong.")
    elif not valid:
        notes.append(f"Some bytes are not valid {encoding}; they show as the replacement sign.")
    return Inspected(encoding, digest.hexdigest(), notes, quotes % 2 == 1)


def _encoding_by_mark(head: bytes) -> str | None:
    return next((encoding for mark, encoding in _BOMS if head.startswith(mark)), None)


def _encoding_by_zeros(head: bytes) -> str | None:
    """UTF-16 without a mark shows as a zero in every other byte of Western text."""
    half = max(len(head) // 2, 1)
    even, odd = head[0::2].count(0) / half, head[1::2].count(0) / half
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else None


def _refuse_binary(head: bytes, name: str) -> None:
    kind = next((what for magic, what in _MAGIC if head.startswith(magic)), None)
    strange = sum(head.count(code) for code in range(32) if code not in (9, 10, 11, 12, 13, 26, 27))
    if kind is None and not head.count(0) and strange <= len(head) / 100:
        return
    what = kind or "binary data"
    raise TableError(
        f"{name} is not a text table: its bytes are {what}. Export it as CSV or XLSX, or give it its right file name."
    )


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def layout(
    path: Path, name: str, encoding: str, *, tabs: bool = False, comma: bool = False, odd_quotes: bool = False
) -> tuple[TextFile, list[str], list[str]]:
    """Delimiter, header and column names of a text file; raises `TableError` when there is nothing below a header."""
    with path.open(encoding=encoding, errors="replace", newline="") as stream:
        sample = stream.read(_SAMPLE)
        whole = not stream.read(1)
    if not sample.strip():
        raise TableError(f"{name} holds no text but blanks. Send the file again, or export it once more.")
    told = sample[4] if sample[:4].casefold() == "sep=" and len(sample) > 5 else ""
    delimiter = "," if comma else told or _sniff(sample, whole, tabs)
    quoting = not (odd_quotes and _swallows(path, encoding, delimiter))
    text = TextFile(path, encoding, delimiter, 0, 1, quoting)
    lines = list(islice(text._reader(io.StringIO(sample, newline="")), _SNIFF_LINES))
    text.skip = header = _header_line(lines, bool(told))
    names, notes = _names(lines[header] if header < len(lines) else [])
    text.width = len(names)
    if header > bool(told):
        notes.append(f"{_lines(header - bool(told))} above the header were skipped.")
    if not quoting:
        notes.append("A quotation mark is opened and never closed; quotation marks were read as ordinary signs.")
    if _looks_like_data(lines, header):
        names = [f"column {number}" for number in range(1, len(names) + 1)]
        notes.append("The first line holds values, not names: the columns were numbered.")
    else:
        text.skip = header + 1
    if not any(any(cell.strip() for cell in row) for row in lines[text.skip :]) and whole:
        raise TableError(f"{name} has a header line and no rows below it. Add rows, or choose another file.")
    return text, names, notes


def _lines(number: int) -> str:
    return "One line" if number == 1 else f"{number} lines"


def _sniff(sample: str, whole: bool, tabs: bool) -> str:
    best, delimiter = (0.0, 0), ","
    for candidate in _DELIMITERS:
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=candidate)
        rows = [row for row in islice(reader, _SNIFF_LINES) if row]
        rows = rows if whole or len(rows) < 2 else rows[:-1]
        widths = Counter(len(row) for row in rows)
        width, times = max(widths.items(), key=lambda item: (item[0] > 1, item[1], item[0]), default=(1, 0))
        share = round(times / max(len(rows), 1), 2)
        if width > 1 and ((share, width) > best or (tabs and candidate == "\t")):
            best, delimiter = (share + (tabs and candidate == "\t"), width), candidate
    return delimiter


def _swallows(path: Path, encoding: str, delimiter: str) -> bool:
    """Whether an unclosed quotation mark turns much of the file into one cell."""
    with path.open(encoding=encoding, errors="replace", newline="") as stream:
        try:
            return any(cell.count("\n") > _SWALLOWED for row in csv.reader(stream, delimiter=delimiter) for cell in row)
        except csv.Error:
            return True


def _header_line(lines: list[list[str]], told: bool) -> int:
    filled = [sum(bool(cell.strip()) for cell in row) for row in lines]
    usual = Counter(count for count in filled if count).most_common(1)
    wide = usual[0][0] if usual else 1
    for number, count in enumerate(filled[: _PREAMBLE + 1]):
        if number >= told and count and (count > 1 or wide < 3):
            return number
    return int(told)


def _names(header: list[str]) -> tuple[list[str], list[str]]:
    while len(header) > 1 and not header[-1].strip():
        header = header[:-1]
    names: list[str] = []
    notes = []
    for number, cell in enumerate(header or ["column 1"], 1):
        name = " ".join(cell.split()) or f"column {number}"
        if name in names:
            again = next(f"{name} ({n})" for n in range(2, len(header) + 2) if f"{name} ({n})" not in names)
            notes.append(f"The column name {name!r} occurs more than once; the later one is called {again!r}.")
            name = again
        names.append(name)
    return names, notes


def _looks_like_data(lines: list[list[str]], header: int) -> bool:
    """A first line of which every filled cell is a number or a date is no header, unless all are years."""
    if header >= len(lines):
        return False
    filled = [cell.strip() for cell in lines[header] if cell.strip()]
    kinds = [cells.classify(cell).kind for cell in filled]
    years = all(cell.isdigit() and len(cell) == 4 for cell in filled)
    return bool(kinds) and not years and all(kind in _VALUE_KINDS or kind.startswith("date") for kind in kinds)
