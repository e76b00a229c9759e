"""Checks of what was delivered as a whole: links lead to something in it, tables have their columns, texts their parts.

Without Django, and run in a child process (`checked_apart.py`), since these read files of others.
"""

from __future__ import annotations

import csv
import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit
from zipfile import BadZipFile

import openpyxl

MOST_READ = 8 * 1024 * 1024
MOST_ROWS = 100_000
MOST_NAMED = 3  # faults that a reason names
MARKDOWN, HTML, TABLES = (".md", ".markdown"), (".html", ".htm"), (".csv", ".tsv")
ELSEWHERE = ("http", "https", "mailto", "tel", "data")
KINDS = ("text", "number", "date")
_CODE = re.compile(r"(```|~~~).*?(\1|\Z)|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(
    r"\]\(\s*(?:<([^>\n]*)>|([^()\s]*(?:\([^()\s]*\)[^()\s]*)*))[^)\n]*\)|^\[[^\]\n]+\]:\s*(\S+)", re.MULTILINE
)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


class File(Protocol):
    """A file that came with a result."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def size(self) -> int: ...


Files = Sequence[File]


@dataclass(slots=True)
class Page:
    """A text that links lead from, and places in it that links may lead to."""

    name: str
    links: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    headings: list[str] = field(default_factory=list)


class _Html(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self._page, self._heading = page, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self._page.links += [said[name] or "" for name in ("href", "src") if name in said]
        self._page.places |= {_place(said[name] or "") for name in ("id", "name") if name in said}
        if re.fullmatch("h[1-6]", tag):
            self._heading = tag
            self._page.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._heading:
            self._heading = ""

    def handle_data(self, data: str) -> None:
        if self._heading:
            self._page.headings[-1] += data


def _place(text: str) -> str:
    """A place in a page, whatever a renderer makes of its words."""
    return re.sub(r"[\W_]+", "", text.casefold())


def page_of(name: str, text: str) -> Page:
    """What links, places and headings a text has, by the ending of its name."""
    page = Page(name)
    if name.lower().endswith(HTML):
        _Html(page).feed(text)
        return page
    plain = _CODE.sub("", text)
    page.links = [next(filter(None, found.groups()), "") for found in _LINK.finditer(plain)]
    page.headings = _HEADING.findall(plain)
    page.places = {_place(one) for one in page.headings}
    return page


def pages_of(text: str, files: Files) -> Iterator[Page]:
    """The result's own words, then each delivered text."""
    yield page_of("", text)
    for file in files:
        if file.name.lower().endswith((*MARKDOWN, *HTML, ".txt")) and file.size <= MOST_READ:
            yield page_of(file.name, file.path.read_text(encoding="utf-8-sig", errors="replace"))


def links_resolve(text: str, files: Files, others: Files = ()) -> tuple[bool, str]:
    """Whether every link that leads to no other site leads to a delivered file (or an input), and to a place in it."""
    pages = {page.name: page for page in pages_of(text, files)}
    names = {file.name for file in (*files, *others)}
    asked = [(page, link) for page in pages.values() for link in page.links if not _is_elsewhere(link)]
    found = [(page, link, _fault(page, link, names, pages)) for page, link in asked]
    wrong = [f"{page.name or 'the result'}: “{link[:80]}” {fault}" for page, link, fault in found if fault]
    if wrong:
        return False, f"{len(wrong)} of {len(asked)} links lead nowhere; {'; '.join(wrong[:MOST_NAMED])}"
    return True, f"{len(asked)} links lead to what was delivered" if asked else "it has no links to files"


def _is_elsewhere(link: str) -> bool:
    try:
        return urlsplit(link).scheme.lower() in ELSEWHERE
    except ValueError:
        return False


def _fault(page: Page, link: str, names: set[str], pages: dict[str, Page]) -> str:
    try:
        split = urlsplit(link)
    except ValueError:
        return "is no address"
    if split.scheme or split.netloc or split.path.startswith("/"):
        return "leads out of what was delivered"
    target, place = page.name, _place(unquote(split.fragment))
    if split.path:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page.name), unquote(split.path)))
        if target.startswith("../") or target == "..":
            return "leads out of what was delivered"
        if target not in names:
            is_folder = any(name.startswith(f"{target}/") for name in names)
            return "" if is_folder or target == "." else "was not delivered"
    there = pages.get(target)
    if place and there is not None and place not in there.places:
        return "names a place that is not there"
    return ""


def has_parts(wanted: str, text: str, files: Files) -> tuple[bool, str]:
    """Whether the result or a delivered text has a heading for each of these parts."""
    headings = [" ".join(one.split()).casefold() for page in pages_of(text, files) for one in page.headings]
    parts = [part.strip() for part in wanted.split(",") if part.strip()]
    missing = [part for part in parts if not any(part.casefold() in one for one in headings)]
    if missing:
        return False, f"no heading says {', '.join(f'“{part}”' for part in missing)}"
    return True, f"all {len(parts)} parts are there"


def schema(wanted: str, files: Files) -> tuple[bool, str]:
    """Whether a delivered table has these columns, with what they say they hold: `file: column, column:number`."""
    name, _, said = wanted.partition(":")
    file = next((one for one in files if one.name == name.strip()), None)
    if file is None:
        return False, f"{name.strip()} was not delivered"
    if not file.size or file.size > MOST_READ:
        return False, f"{file.name} is {'too large to be read here' if file.size else 'empty'}"
    try:
        head, rows = _table(file)
    except (ValueError, OSError, KeyError, csv.Error, BadZipFile) as fault:
        return False, f"{file.name} does not open as a table: {str(fault)[:200]}"
    columns = [_column(one) for one in said.split(",") if one.strip()]
    missing = [column for column, _kind in columns if column not in head]
    if missing:
        return False, f"{file.name} has no column {', '.join(f'“{one}”' for one in missing)}"
    if not rows:
        return False, f"{file.name} has no rows"
    for column, kind in columns:
        for number, row in enumerate(rows, 1):
            if not _is(kind, row.get(column)):
                return False, f"{file.name}, row {number}: “{str(row.get(column))[:60]}” in “{column}” is no {kind}"
    return True, f"{file.name} has its {len(columns)} columns in {len(rows)} rows"


def _column(said: str) -> tuple[str, str]:
    name, _, kind = said.strip().rpartition(":")
    return (name.strip(), kind.strip()) if name and kind.strip() in KINDS else (said.strip(), "text")


def _table(file: File) -> tuple[set[str], list[dict[str, Any]]]:
    """The columns and rows of a CSV, TSV, JSON or XLSX file."""
    lower, lines = file.name.lower(), list[list[Any]]()
    if lower.endswith(".json"):
        found = json.loads(file.path.read_text(encoding="utf-8-sig"))
        rows = [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)][:MOST_ROWS]
        return set.intersection(*(set(map(str, row)) for row in rows)) if rows else set(), rows
    if lower.endswith(".xlsx"):
        with file.path.open("rb") as content:
            book = openpyxl.load_workbook(content, read_only=True, data_only=True)
            lines = [list(row) for row in book.worksheets[0].iter_rows(values_only=True, max_row=MOST_ROWS)]
            book.close()
    elif lower.endswith(TABLES):
        text = file.path.read_text(encoding="utf-8-sig")
        first = text.split("\n", 1)[0]
        mark = "\t" if lower.endswith(".tsv") else max(",;\t", key=first.count)
        lines = [list(row) for row in csv.reader(text.splitlines(), delimiter=mark) if row][:MOST_ROWS]
    else:
        raise ValueError("it is no CSV, TSV, JSON or XLSX file")
    head = [str(cell if cell is not None else "").strip() for cell in lines[0]] if lines else []
    return set(head), [dict(zip(head, row, strict=False)) for row in lines[1:]]


def _is(kind: str, value: Any) -> bool:
    if value is None or value == "" or kind == "text":
        return True
    if kind == "number":
        try:
            float(str(value).replace(",", "").replace(" ", ""))
        except ValueError:
            return False
        return not isinstance(value, bool)
    try:
        date.fromisoformat(str(value)[:10])
    except ValueError:
        return False
    return True
