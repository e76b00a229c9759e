"""What the text in one cell means: a number, a date, a yes or no, a code, or nothing. Pure, no column in sight."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

HARD_MISSING = frozenset({"", "null", "NULL", "Null", "#N/A", "N/A", "n/a", "<NA>", "nan", "NaN", "#NULL!", "#DIV/0!"})
"""Never a value, whatever the column holds."""
SOFT_MISSING = frozenset({"NA", "na", "None", "none", "-", "--", "–", "—", "?", ".", "k.A.", "#VALUE!", "#REF!"})
"""Missing in a column of numbers, dates or flags; in a column of words it may be a word (NA: North America)."""

BOOLEANS: dict[str, bool] = {
    word: truth
    for words, truth in (("true yes y t ja wahr", True), ("false no n f nein falsch", False))
    for word in words.split()
}
BOOLEAN_PAIRS = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"ja", "nein"}, {"wahr", "falsch"})


class Marks(StrEnum):
    """Which sign separates the decimals of a number."""

    DOT = "dot"
    COMMA = "comma"


class DateOrder(StrEnum):
    """How a date is written."""

    ISO = "iso"
    DMY = "dmy"
    MDY = "mdy"
    NAMED = "named"
    YEAR_MONTH = "year-month"


@dataclass(frozen=True, slots=True)
class Shape:
    """What one cell looks like on its own; `unit` is a currency or % sign around a number."""

    kind: str
    unit: str = ""


PLAIN_INT = re.compile(r"[+-]?(?:0|[1-9]\d{0,29})", re.ASCII)
PLAIN_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d{0,29})(?:\.\d{1,30})?", re.ASCII)
PLAIN_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)?", re.ASCII)
AMBIGUOUS_DOT = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)
_CODE = re.compile(r"0\d+", re.ASCII)
_BIGGEST_POWER = 300
_LONGEST = 60
_SPACES = "\u00a0\u202f\u2009'’ "
_UNIT = r"(?:[€$£¥%]|US\$|[A-Z]{3})"
_STYLED = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[-+−])?\s*(?P<before>{_UNIT})?\s*(?P<inner>[-+−])?"
    rf"(?P<body>[\d.,{_SPACES}]*\d)(?P<power>[eE][+-]?\d{{1,3}})?\s*(?P<after>{_UNIT})?(?P<trailing>-)?\s*(?P<close>\))?",
    re.ASCII,
)
_DOT_BODY = re.compile(rf"(?:\d{{1,3}}(?:[,{_SPACES}]\d{{2,3}})*[,{_SPACES}]\d{{3}}|\d+)(?:\.\d+)?|\.\d+", re.ASCII)
_COMMA_BODY = re.compile(rf"(?:\d{{1,3}}(?:[.{_SPACES}]\d{{3}})+|\d+)(?:,\d+)?|,\d+", re.ASCII)
_ZONE = r"(?:Z|[+-]\d{2}:?\d{2}|[AaPp][Mm])?"
_TIME = rf"(?:[T ]+(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::(?P<second>\d{{2}})(?:[.,]\d{{1,9}})?)?\s*{_ZONE})?"
_ISO = re.compile(rf"(?P<y>\d{{4}})(?P<s>[-/.])(?P<m>\d{{1,2}})(?P=s)(?P<d>\d{{1,2}}){_TIME}", re.ASCII)
_NUMERIC = re.compile(rf"(?P<a>\d{{1,2}})(?P<s>[-/.])(?P<b>\d{{1,2}})(?P=s)(?P<y>\d{{4}}|\d{{2}}){_TIME}", re.ASCII)
_DAY_NAMED = re.compile(r"(?P<d>\d{1,2})\.?[ -]+(?P<n>[A-Za-zä]{3,9})\.?[ ,-]+(?P<y>\d{4})")
_NAMED_DAY = re.compile(r"(?P<n>[A-Za-zä]{3,9})\.? +(?P<d>\d{1,2})(?:st|nd|rd|th)?,? +(?P<y>\d{4})")
_YEAR_MONTH = re.compile(r"(?P<y>\d{4})-(?P<m>0[1-9]|1[0-2])", re.ASCII)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan",
            "feb",
            "mar mär mrz",
            "apr",
            "may mai",
            "jun",
            "jul",
            "aug",
            "sep",
            "oct okt",
            "nov",
            "dec dez",
        ),
        1,
    )
    for name in names.split()
}


def classify(text: str) -> Shape:
    """What a cell looks like: missing, soft, int, dot, comma, either-dot, either-comma, date-*, bool, code or text."""
    if text in HARD_MISSING:
        return Shape("missing")
    if text in SOFT_MISSING:
        return Shape("soft")
    if text.casefold() in BOOLEANS:
        return Shape("bool")
    if not any(character.isdigit() for character in text):
        return Shape("text")
    if _CODE.fullmatch(text):
        return Shape("code")
    if kind := _date_kind(text):
        return Shape(kind)
    return _number_shape(text)


def _styled(text: str) -> re.Match[str] | None:
    # The optional parts around the digits would backtrack for long on a long cell, which is no number anyway.
    match = _STYLED.fullmatch(text) if len(text) <= _LONGEST else None
    return match if match and bool(match["open"]) == bool(match["close"]) else None


def _number_shape(text: str) -> Shape:
    match = _styled(text)
    if match is None:
        return Shape("text")
    body, unit = match["body"], match["before"] or match["after"] or ""
    dot, comma = bool(_DOT_BODY.fullmatch(body)), bool(_COMMA_BODY.fullmatch(body))
    if not dot and not comma:
        return Shape("text")
    if "." not in body and "," not in body:
        # Digits alone with a leading zero are a code (a postcode, a telephone number), not an amount.
        return Shape("code") if _CODE.fullmatch(body) and not unit else Shape("int", unit)
    if dot and comma and not body.startswith("0"):
        return Shape("either-dot" if "." in body else "either-comma", unit)
    return Shape("dot" if dot and not (comma and "," in body) else "comma", unit)


def _date_kind(text: str) -> str:
    if len(text) > _LONGEST:
        return ""
    for kind, order in (("date-iso", DateOrder.ISO), ("date-named", DateOrder.NAMED)):
        if read_date(text, order):
            return kind
    if _YEAR_MONTH.fullmatch(text):
        return "date-year-month"
    dmy, mdy = read_date(text, DateOrder.DMY), read_date(text, DateOrder.MDY)
    if dmy and mdy:
        return "date-either" if dmy != mdy else "date-same"
    return "date-dmy" if dmy else "date-mdy" if mdy else ""


def read_number(text: str, marks: Marks) -> Decimal | None:
    """The number a cell holds when decimals are separated by `marks`, or None if it holds none."""
    match = _styled(text)
    if match is None:
        return None
    body = match["body"]
    if not (_DOT_BODY if marks is Marks.DOT else _COMMA_BODY).fullmatch(body):
        return None
    digits = "".join(character for character in body if character.isdigit() or character in ".,")
    digits = digits.replace(",", "") if marks is Marks.DOT else digits.replace(".", "").replace(",", ".")
    try:
        value = Decimal(digits + (match["power"] or ""))
    except InvalidOperation:
        return None
    if value and abs(value.adjusted()) > _BIGGEST_POWER:
        return None
    signs = (match["sign"] or "") + (match["inner"] or "") + (match["trailing"] or "")
    negative = (signs.count("-") + signs.count("−")) % 2 == 1 or bool(match["open"])
    return -value if negative else value


def read_date(text: str, order: DateOrder) -> str | None:
    """The date (and time, if written) as ISO text, or None if the cell holds no such date."""
    if order is DateOrder.YEAR_MONTH:
        return text if _YEAR_MONTH.fullmatch(text) else None
    if order is DateOrder.NAMED:
        match = _DAY_NAMED.fullmatch(text) or _NAMED_DAY.fullmatch(text)
        month = _MONTHS.get(match["n"][:3].casefold()) if match else None
        return _day(match["y"], month, match["d"]) if match and month else None
    match = (_ISO if order is DateOrder.ISO else _NUMERIC).fullmatch(text)
    if match is None:
        return None
    if order is DateOrder.ISO:
        day = _day(match["y"], match["m"], match["d"])
    else:
        first, second = match["a"], match["b"]
        day = _day(match["y"], *((second, first) if order is DateOrder.DMY else (first, second)))
    return _with_time(day, match, text) if day else None


def is_day(text: str) -> bool:
    """Whether YYYY-MM-DD names a day of the calendar."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _day(year: str, month: str | int, day: str) -> str | None:
    number = int(year)
    if len(year) == 2:
        number += 2000 if number < 70 else 1900
    try:
        return date(number, int(month), int(day)).isoformat()
    except ValueError:
        return None


def _with_time(day: str, match: re.Match[str], text: str) -> str | None:
    if match["hour"] is None:
        return day
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    half = text[-2:].casefold()
    if half in ("am", "pm"):
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    return day if (hour, minute, second) == (0, 0, 0) else f"{day}T{hour:02}:{minute:02}:{second:02}"
