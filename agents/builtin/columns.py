"""Decides, from every cell of a column, what the column holds and how its cells are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from agents.builtin.cells import (
    AMBIGUOUS_DOT,
    BOOLEAN_PAIRS,
    BOOLEANS,
    HARD_MISSING,
    PLAIN_DATE,
    PLAIN_INT,
    PLAIN_NUMBER,
    SOFT_MISSING,
    DateOrder,
    Marks,
    Shape,
    classify,
    is_day,
    read_date,
    read_number,
)

Type = Literal["integer", "decimal", "date", "boolean", "text", "empty", "mixed"]
Reading = Literal["number", "date", "boolean", "text"]
Number = int | Decimal
MOSTLY = 0.8
"""A column is read as numbers or dates when at least this share of its filled cells are."""
_CODES = 0.02
_CACHE = 20_000
_GIVE_UP_AFTER = 4_096
_HINT_CELLS = 3


@dataclass
class ColumnScan:
    """What the cells of one column look like, counted over the whole file."""

    filled: int = 0
    missing: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    words: set[str] = field(default_factory=set)
    unlike: dict[str, str] = field(default_factory=dict)
    _dots: bool = False
    _words_only: bool = False
    _cache: dict[str, Shape] = field(default_factory=dict)

    def add(self, cells: list[str]) -> None:
        """Count one batch of stripped cells."""
        present = list(filter(None, cells))
        self.missing += len(cells) - len(present)
        if not present:
            return
        self.filled += len(present)
        if self._words_only:
            self._count_words(present)
        elif all(map(PLAIN_INT.fullmatch, present)):
            self.kinds["int"] += len(present)
        elif all(map(PLAIN_NUMBER.fullmatch, present)):
            self._count_plain(present)
        elif all(map(PLAIN_DATE.fullmatch, present)) and all(map(is_day, {cell[:10] for cell in present})):
            self.kinds["date-iso"] += len(present)
        else:
            self._count_each(present)

    def _count_plain(self, present: list[str]) -> None:
        if not self._dots:
            # One number such as 12.5 shows that the dot separates decimals here; 1.234 alone does not.
            self._dots = any("." in cell and not AMBIGUOUS_DOT.fullmatch(cell) for cell in present)
        whole = sum("." not in cell for cell in present)
        self.kinds["int"] += whole
        self.kinds["dot" if self._dots else "either-dot"] += len(present) - whole

    def _count_words(self, present: list[str]) -> None:
        hard = sum(map(HARD_MISSING.__contains__, present))
        self.filled -= hard
        self.missing += hard
        self.kinds["text"] += len(present) - hard

    def _count_each(self, present: list[str]) -> None:
        cache = self._cache
        for cell, times in Counter(present).items():
            shape = cache.get(cell)
            if shape is None:
                if len(cache) >= _CACHE:
                    cache.clear()
                shape = cache[cell] = classify(cell)
            self._count(cell, shape, times)
        self._words_only = self.filled > _GIVE_UP_AFTER and self.kinds["text"] > self.filled * 0.9

    def _count(self, cell: str, shape: Shape, times: int) -> None:
        if shape.kind == "missing":
            self.filled -= times
            self.missing += times
            return
        self.kinds[shape.kind] += times
        if shape.unit:
            self.units[shape.unit] += times
        if shape.kind == "bool":
            self.words.add(cell.casefold())
        self.unlike.setdefault(shape.kind, cell)

    def numbers(self) -> int:
        """How many filled cells look like a number in some way of writing."""
        return sum(self.kinds[kind] for kind in ("int", "dot", "comma", "either-dot", "either-comma"))

    def dates(self) -> int:
        """How many filled cells look like a date in some way of writing."""
        return sum(times for kind, times in self.kinds.items() if kind.startswith("date-"))


@dataclass(frozen=True)
class Column:
    """One column as it is read: the published type, the reading behind it, and how a cell becomes a value."""

    name: str
    type: Type
    reading: Reading
    marks: Marks = Marks.DOT
    order: DateOrder = DateOrder.ISO
    plain: bool = False
    unit: str = ""
    notes: tuple[str, ...] = ()

    def is_missing(self, cell: str) -> bool:
        """Whether a stripped cell holds no value in this column."""
        return cell in HARD_MISSING or (self.reading != "text" and cell in SOFT_MISSING)

    def numbers(self, cells: Iterable[str]) -> list[Number | None]:
        """The numbers of a column read as numbers; None where a cell is missing or holds none."""
        if self.plain and self.type == "integer":
            return [int(cell) if cell else None for cell in cells]
        if self.plain:
            return [Decimal(cell) if cell else None for cell in cells]
        whole = self.type == "integer"
        return [_whole(number) if whole else number for number in map(self._number, cells)]

    def _number(self, cell: str) -> Decimal | None:
        if not cell or self.is_missing(cell):
            return None
        if self.marks is Marks.DOT and PLAIN_NUMBER.fullmatch(cell):
            return Decimal(cell)
        return read_number(cell, self.marks)

    def date(self, cell: str) -> str | None:
        """The ISO text of a cell in a column read as dates."""
        if self.plain:
            return cell.replace(" ", "T") or None
        if not cell or self.is_missing(cell):
            return None
        for order in (self.order, DateOrder.ISO, DateOrder.NAMED, DateOrder.YEAR_MONTH):
            if found := read_date(cell, order):
                return found
        return None

    def label(self, cell: str) -> str | None:
        """The value of a cell as people read it, in a column of words or flags; None when it is missing."""
        if self.is_missing(cell):
            return None
        if self.reading == "boolean":
            return "true" if BOOLEANS[cell.casefold()] else "false"
        return " ".join(cell.split())


def _whole(number: Decimal | None) -> Number | None:
    return int(number) if number is not None and number == number.to_integral_value() else number


def decide(names: list[str], scans: list[ColumnScan]) -> list[Column]:
    """The columns of a table; numbers of ambiguous writing follow their column, then the rest of the file."""
    hints = [_marks(scan) for scan in scans]
    commas = sum(hint is Marks.COMMA for hint in hints)
    usual = Marks.COMMA if commas > sum(hint is Marks.DOT for hint in hints) else Marks.DOT
    day_first = any(scan.kinds["date-dmy"] > scan.kinds["date-mdy"] for scan in scans) or commas > 0
    return [_decide(name, scan, hint, usual, day_first) for name, scan, hint in zip(names, scans, hints, strict=True)]


def _marks(scan: ColumnScan) -> Marks | None:
    dots, commas = scan.kinds["dot"], scan.kinds["comma"]
    return None if dots == commas else Marks.DOT if dots > commas else Marks.COMMA


def _decide(name: str, scan: ColumnScan, hint: Marks | None, usual: Marks, day_first: bool) -> Column:
    values = scan.filled - scan.kinds["soft"]
    if values == 0:
        return Column(name, "text" if scan.kinds["soft"] else "empty", "text")
    if scan.kinds["bool"] == values and any(scan.words <= pair for pair in BOOLEAN_PAIRS):
        return Column(name, "boolean", "boolean")
    if scan.dates() >= values * MOSTLY:
        return _date_column(name, scan, values, day_first)
    if scan.numbers() >= values * MOSTLY and scan.kinds["code"] <= values * _CODES:
        return _number_column(name, scan, values, hint, usual)
    notes = []
    if scan.numbers() >= values * 0.2:
        notes.append(f"{name!r} holds numbers among other text ({_example(scan)}); it was read as text.")
    return Column(name, "text", "text", notes=tuple(notes))


def _date_column(name: str, scan: ColumnScan, values: int, day_first: bool) -> Column:
    dmy, mdy, open_ = scan.kinds["date-dmy"], scan.kinds["date-mdy"], scan.kinds["date-either"]
    order = DateOrder.DMY if dmy > mdy or (dmy == mdy and day_first) else DateOrder.MDY
    notes = []
    if open_ and not dmy and not mdy:
        how = "day first" if order is DateOrder.DMY else "month first"
        notes.append(f"Dates in {name!r} can be read with the day or the month first; they were read {how}.")
    lost = (values - scan.dates()) + (mdy if order is DateOrder.DMY else dmy)
    if lost:
        notes.append(f"{_cells(lost)} in {name!r} hold no date that fits the others and were left out.")
    plain = not lost and not scan.unlike
    return Column(name, "mixed" if lost else "date", "date", order=order, plain=plain, notes=tuple(notes))


def _number_column(name: str, scan: ColumnScan, values: int, hint: Marks | None, usual: Marks) -> Column:
    units = {unit: times for unit, times in scan.units.items() if times}
    if len(units) > 1:
        found = ", ".join(sorted(units))
        note = f"{name!r} mixes units ({found}); adding them up would be wrong, so it was read as text."
        return Column(name, "text", "text", notes=(note,))
    marks = hint or usual
    notes = []
    either = scan.kinds["either-dot"] + scan.kinds["either-comma"]
    if either and hint is None:
        sign = "dot" if scan.kinds["either-dot"] else "comma"
        what = "decimals" if (sign == "dot") == (marks is Marks.DOT) else "thousands"
        notes.append(f"The {sign} in {name!r} could mark thousands or decimals; it was read as {what}.")
    other = scan.kinds["comma" if marks is Marks.DOT else "dot"]
    lost = values - scan.numbers() + other
    if lost:
        notes.append(f"{_cells(lost)} in {name!r} hold no number ({_example(scan)}) and were left out of the sums.")
    fractions = scan.kinds["dot" if marks is Marks.DOT else "comma"]
    fractions += scan.kinds["either-dot" if marks is Marks.DOT else "either-comma"]
    plain = not units and not lost and not scan.unlike and marks is Marks.DOT
    unit = next(iter(units), "")
    kind: Type = "mixed" if lost else "decimal" if fractions else "integer"
    return Column(name, kind, "number", marks, plain=plain, unit=unit, notes=tuple(notes))


def _cells(number: int) -> str:
    return "One cell" if number == 1 else f"{number:,} cells"


def _example(scan: ColumnScan) -> str:
    kinds = [kind for kind in ("text", "code", "bool", "comma", "dot") if kind in scan.unlike]
    shown = ", ".join(repr(scan.unlike[kind][:40]) for kind in kinds[:_HINT_CELLS])
    return f"for example {shown}" if shown else "some of them"
