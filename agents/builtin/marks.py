"""Source marks: `[file · column · aggregate]`, optionally with ` · where`, after each number that comes from data."""

from __future__ import annotations

import re
from dataclasses import dataclass

ROWS = "rows"
"""Stands in place of a column for figures about whole rows."""
_MARK = re.compile(r"\[((?:\\.|[^\[\]\\\n])+)\](?!\()")
_SPECIAL = re.compile(r"([\\\[\]|=·→*`<>])")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Mark:
    """Where a number comes from.

    `aggregate` is one of: count sum mean median min max stdev missing distinct duplicates outliers, `missing share`,
    `share of rows`, `share of sum`, `change of sum`, `change of mean`, `top N share of sum`, `difference of mean`.
    `key` is the column of a condition, `value` what it equals (or begins with, for dates); `until` ends a change.
    With `top N share of sum` the key alone says by which column.
    """

    table: str
    column: str
    aggregate: str
    key: str = ""
    value: str = ""
    until: str = ""

    def __str__(self) -> str:
        parts = [self.table, self.column, self.aggregate]
        text = " · ".join(escape(part) for part in parts)
        if self.key and not self.value:
            text += f" · by {escape(self.key)}"
        elif self.key:
            text += f" · {escape(self.key)} = {escape(self.value)}"
            text += f" → {escape(self.until)}" if self.until else ""
        return f"[{text}]"


def escape(text: str) -> str:
    """Text that stays on its line and in its brackets, and that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", squeeze(text))


def squeeze(text: str) -> str:
    """Text on one line with single spaces, as names and keys are written and compared."""
    return " ".join(text.split())


def unescape(text: str) -> str:
    """The reverse of `escape`."""
    return _ESCAPED.sub(r"\1", text)


def _split(text: str, separator: str, most: int = -1) -> list[str]:
    """Split at a separator whose sign is not escaped; a backslash takes the next sign with it."""
    parts: list[str] = []
    start = place = 0
    while place < len(text):
        if text[place] == "\\":
            place += 2
        elif text.startswith(separator, place) and len(parts) != most:
            parts.append(text[start:place])
            start = place = place + len(separator)
        else:
            place += 1
    return [*parts, text[start:]]


@dataclass(frozen=True)
class Placed:
    """A mark and where it stands in a text."""

    mark: Mark
    start: int
    end: int


def find_marks(text: str) -> list[Placed]:
    """The source marks of a text in order; brackets of another form are left alone."""
    found = []
    for match in _MARK.finditer(text):
        mark = parse(match.group(1))
        if mark is not None:
            found.append(Placed(mark, match.start(), match.end()))
    return found


def parse(inner: str) -> Mark | None:
    """The mark written between two brackets, or None if it is no mark."""
    parts = _split(inner.strip(), " · ")
    if len(parts) not in (3, 4):
        return None
    table, column, aggregate = (unescape(part.strip()) for part in parts[:3])
    if len(parts) == 3:
        return Mark(table, column, aggregate)
    where = parts[3].strip()
    if where.startswith("by "):
        return Mark(table, column, aggregate, unescape(where[3:].strip()))
    sides = _split(where, " = ", 1)
    if len(sides) != 2:
        return None
    values = [unescape(value.strip()) for value in _split(sides[1], " → ", 1)]
    return Mark(table, column, aggregate, unescape(sides[0].strip()), values[0], values[1] if len(values) > 1 else "")
