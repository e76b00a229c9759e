"""Finds the numbers of a text, reads them as printed, and pairs each with the source mark behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from agents.builtin.cells import Marks, read_number
from agents.builtin.marks import Mark, Placed, find_marks

_NUMBER = re.compile(
    r"(?<![\w.,\\])(?<![A-Za-z]-)(?P<sign>[-+−])?(?P<unit>[€$£¥])?"
    r"(?P<body>\d{1,3}(?:[,.'’\u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?)(?P<power>e[+-]?\d{1,3})?"
    r"(?P<scale>[ \u00a0]?(?:million|thousand|billion|bn|k|m|M)\b)?(?!\w)"
)
_SCALES = {"thousand": 3, "k": 3, "million": 6, "m": 6, "M": 6, "billion": 9, "bn": 9}
_HIDDEN = re.compile(
    r"```.*?(?:```|\Z)"  # code
    r"|`[^`\n]*`"
    r"|“[^”\n]*”|\"[^\"\n]*\""  # names and quotations
    r"|^#{1,6} [^\n]*"  # headings
    r"|^[ \t]*>[^\n]*"  # what somebody said
    r"|^\s*\d+[.)]\s"  # the number of a list item
    r"|\]\([^)\n]*\)|https?://\S+"  # links
    r"|\b\d{4}-\d{2}(?:-\d{2})?(?:T[\d:]+)?\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b"  # dates
    r"|\b\d{1,2}:\d{2}(?::\d{2})?\b",
    re.MULTILINE | re.DOTALL,
)
_HALF = Decimal("0.5")
_SLACK = Decimal("1.0000001")


@dataclass(frozen=True)
class Claim:
    """One number of a text. `readings` are the values it can mean; `place` is the power of ten of its last digit."""

    text: str
    start: int
    end: int
    line: int
    readings: tuple[Decimal, ...]
    places: tuple[int, ...]
    mark: Mark | None = None

    def agrees(self, value: Decimal | float) -> bool:
        """Whether a value, rounded as the number is printed, can be this number."""
        exact = Decimal(value) if isinstance(value, float) else value
        for reading, place in zip(self.readings, self.places, strict=True):
            if abs(reading - exact) <= _HALF.scaleb(place) * _SLACK + abs(exact) * Decimal("1e-12"):
                return True
        return False


def find_claims(text: str) -> list[Claim]:
    """Every number of a text that says something, in order: not those in code, quotations, headings, dates, links."""
    marks = find_marks(text)
    hidden = [(placed.start, placed.end) for placed in marks]
    hidden += [match.span() for match in _HIDDEN.finditer(_blank(text, hidden))]
    shown = _blank(text, hidden)
    numbers = list(_NUMBER.finditer(shown))
    owners = _owners(shown, numbers, marks)
    claims = []
    for match in numbers:
        readings, places = _read(match)
        line = text.count("\n", 0, match.start()) + 1
        mark = owners.get(match.start())
        claims.append(Claim(match.group().strip(), match.start(), match.end(), line, readings, places, mark))
    return [claim for claim in claims if claim.readings]


def _blank(text: str, spans: list[tuple[int, int]]) -> str:
    shown = list(text)
    for start, end in spans:
        for place in range(start, end):
            if shown[place] != "\n":
                shown[place] = "\x00"
    return "".join(shown)


def _owners(text: str, numbers: list[re.Match[str]], marks: list[Placed]) -> dict[int, Mark]:
    """A mark belongs to the last number before it on its line, unless another mark stands between."""
    owners: dict[int, Mark] = {}
    edge = 0
    for placed in marks:
        edge = max(edge, text.rfind("\n", 0, placed.start) + 1)
        before = [number for number in numbers if edge <= number.start() < placed.start]
        if before:
            owners[before[-1].start()] = placed.mark
        edge = placed.end
    return owners


def _read(match: re.Match[str]) -> tuple[tuple[Decimal, ...], tuple[int, ...]]:
    body = match["body"].replace("'", " ").replace("’", " ").replace("\u202f", " ").replace("\u00a0", " ")
    shift = _SCALES.get((match["scale"] or "").strip(), 0)
    readings: dict[Decimal, int] = {}
    for marks in Marks:
        number = read_number(body + (match["power"] or ""), marks)
        if number is None:
            continue
        exponent = number.as_tuple().exponent
        place = shift + (exponent if isinstance(exponent, int) else 0)
        number = number.scaleb(shift)
        readings.setdefault(-number if match["sign"] in ("-", "−") else number, min(place, 0) if not shift else place)
    return tuple(readings), tuple(readings.values())
