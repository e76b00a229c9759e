"""A table that nobody has seen before, and what is true of it, computed without any code of ours."""

from __future__ import annotations

import csv
import html
import io
import random
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

NUMBERS = ("units", "price", "revenue")
CITED = re.compile(r"(-?[\d,]+(?:\.\d+)?)(?: ?%)?(?:</td>\s*<td>| )<cite>\[([^\]]+)\]</cite>")
Row = dict[str, str]


@dataclass(frozen=True)
class Sales:
    """Some thousand orders."""

    seed: int
    name: str
    rows: tuple[Row, ...]

    def content(self) -> bytes:
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, ["date", "region", "product", *NUMBERS])
        writer.writeheader()
        writer.writerows(self.rows)
        return out.getvalue().encode()

    def values(self, column: str, where: str = "") -> list[Decimal]:
        """The numbers of a column, of all rows or of those where `region = North`, `date = 2026-04`."""
        name, _, wanted = where.partition(" = ")
        return [Decimal(row[column]) for row in self.rows if not where or row[name].startswith(wanted)]


def generate(seed: int, *, count: int = 5_200, name: str = "orders.csv") -> Sales:
    """Orders of three products in four regions; the same seed gives the same ones."""
    dice = random.Random(seed)
    rows = []
    for _ in range(count):
        units, cents = dice.randint(1, 40), dice.randint(200, 9000)
        rows.append(
            {
                "date": f"2026-{dice.randint(1, 9):02d}-{dice.randint(1, 28):02d}",
                "region": dice.choice(["North", "South", "East", "West"]),
                "product": dice.choice(["Lamp", "Chair", "Desk"]),
                "units": str(units),
                "price": f"{Decimal(cents) / 100:.2f}",
                "revenue": f"{Decimal(units * cents) / 100:.2f}",
            }
        )
    return Sales(seed, name, tuple(rows))


def cited(page: str) -> list[tuple[str, str]]:
    """The numbers of an HTML report that name their source, with that source."""
    return [(found[1], html.unescape(found[2])) for found in CITED.finditer(page)]


def truth(sales: Sales, source: str) -> Decimal | None:
    """What the number with this source must be; None for a kind of figure that is not computed here."""
    table, *rest = source.split(" · ")
    assert table == sales.name, f"{source} is not of {sales.name}"
    column, aggregate, *where = rest
    if column == "rows":
        return _of_rows(sales, aggregate, *where)
    if aggregate.startswith("share of sum"):
        return 100 * total(sales.values(column, where[0])) / total(sales.values(column))
    if aggregate.startswith("change of "):
        return _change(sales, column, aggregate.removeprefix("change of "), where[0])
    compute = AGGREGATES.get(aggregate)
    return None if compute is None else Decimal(compute(sales.values(column, *where)))


def _of_rows(sales: Sales, aggregate: str, where: str = "") -> Decimal | None:
    of_these = Decimal(len(sales.values("units", where)))
    if aggregate == "count":
        return of_these
    if aggregate == "share of rows":
        return 100 * of_these / len(sales.rows)
    different = {tuple(row.values()) for row in sales.rows}
    return Decimal(len(sales.rows) - len(different)) if aggregate == "duplicates" and not where else None


def _change(sales: Sales, column: str, aggregate: str, where: str) -> Decimal:
    name, _, span = where.partition(" = ")
    first, last = (
        Decimal(AGGREGATES[aggregate](sales.values(column, f"{name} = {period}"))) for period in span.split(" → ")
    )
    return 100 * (last - first) / first


def total(values: Iterable[Decimal]) -> Decimal:
    return sum(values, Decimal())


AGGREGATES: dict[str, Callable[[list[Decimal]], Decimal | int]] = {
    "sum": total,
    "mean": statistics.mean,
    "median": statistics.median,
    "min": min,
    "max": max,
    "count": len,
}


def differences(sales: Sales, claims: Iterable[tuple[str, str]]) -> tuple[int, list[str]]:
    """How many claims were recomputed, and those that are wrong at the precision in which they are written."""
    compared, wrong = 0, []
    for text, source in claims:
        right = truth(sales, source)
        if right is None:
            continue
        compared += 1
        written = Decimal(text.replace(",", ""))
        places = -int(written.as_tuple().exponent)
        if abs(written - right) > Decimal(6) / 10 ** (places + 1):
            wrong.append(f"{text} [{source}] is {right}")
    return compared, wrong


def by_region(sales: Sales, column: str) -> dict[str, Decimal]:
    """The sum of a column by region."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in sales.rows:
        sums[row["region"]] += Decimal(row[column])
    return dict(sums)
