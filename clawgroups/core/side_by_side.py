"""Two texts beside each other, line by line, for people to compare. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, zip_longest

from clawgroups.core.line_match import passages

AROUND = 2  # equal lines that are shown before and after what differs
MOST = 1_000_000  # lines of one times lines of the other, where they differ: beyond that nobody waits for it


@dataclass(frozen=True, slots=True)
class Row:
    """A line of either text; None where the other has one more. `skipped`: so many equal lines in place of this row."""

    left: str | None
    right: str | None
    skipped: int = 0
    # Which line it is in its text, from 1 on.
    left_at: int = field(default=0, compare=False)
    right_at: int = field(default=0, compare=False)

    @property
    def same(self) -> bool:
        return self.left == self.right

    @property
    def parts(self) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
        """Of a line that was changed, on either side: what is equal before, what differs, what is equal after it."""
        one, other = self.left or "", self.right or ""
        shorter, begin, end = min(len(one), len(other)), 0, 0
        while begin < shorter and one[begin] == other[begin]:
            begin += 1
        while end < shorter - begin and one[-1 - end] == other[-1 - end]:
            end += 1
        return _cut(one, begin, end), _cut(other, begin, end)


def _cut(line: str, begin: int, end: int) -> tuple[str, str, str]:
    return line[:begin], line[begin : len(line) - end], line[len(line) - end :]


def side_by_side(before: str, after: str) -> list[Row] | None:
    """The rows of both texts, long equal stretches left out. Empty: they are the same. None: too long to compare."""
    left, right = before.splitlines(), after.splitlines()
    found = passages(left, right, lambda a, b: a * b <= MOST)
    if all(tag == "equal" for tag, *_ in found):
        return []
    if any((b - a) * (d - c) > MOST for tag, a, b, c, d in found if tag != "equal"):
        return None
    rows: list[Row] = []
    for number, (tag, a, b, c, d) in enumerate(found):
        if tag == "equal":
            rows += _equal(left[a:b], a, c, first=number == 0, last=number == len(found) - 1)
        else:
            places = zip(zip_longest(left[a:b], right[c:d]), count(a + 1), count(c + 1), strict=False)
            rows += [Row(one, other, 0, at, to) for (one, other), at, to in places]
    return rows


def _equal(lines: Sequence[str], left_at: int, right_at: int, *, first: bool, last: bool) -> Iterator[Row]:
    """Equal lines: those next to what differs, and how many are between."""
    head, tail = 0 if first else AROUND, 0 if last else AROUND
    rows = [Row(line, line, 0, left_at + n, right_at + n) for n, line in enumerate(lines, 1)]
    if len(lines) <= head + tail + 1:
        yield from rows
        return
    yield from rows[:head]
    yield Row(None, None, len(lines) - head - tail)
    yield from rows[len(lines) - tail :]
