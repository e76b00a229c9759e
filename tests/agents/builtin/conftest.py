"""Real tables to work on, and a turn without a client for what needs no protocol."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.builtin.profile import profile_table
from agents.builtin.tables import open_tables

Rows = list[dict[str, str]]
SalesFile = tuple[Path, Rows]


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]], **options: Any) -> Path:
    with path.open("w", encoding=options.pop("encoding", "utf-8"), newline="") as stream:
        writer = csv.writer(stream, **options)
        writer.writerow(header)
        writer.writerows(rows)
    return path


@pytest.fixture
def sales(tmp_path: Path) -> SalesFile:
    """A table of 600 sales with a few gaps, one doubled row and one far value; the rows as text beside it."""
    chance = random.Random(20)
    header = ["order_id", "date", "region", "quantity", "unit_price", "revenue", "paid"]
    rows: list[list[str]] = []
    for number in range(600):
        day = date(2024, 1, 1) + timedelta(days=chance.randrange(366))
        region = chance.choices(["North", "South", "East", "West"], [6, 2, 1, 1])[0]
        quantity, price = chance.randrange(1, 9), round(chance.uniform(5, 80), 2)
        revenue = f"{quantity * price:.2f}" if number != 77 else "98765.43"
        paid = chance.choice(["yes", "no"])
        quantity_text = "" if number % 50 == 0 else str(quantity)
        rows.append([str(number + 1), day.isoformat(), region, quantity_text, f"{price:.2f}", revenue, paid])
    rows.append(rows[-1])
    path = write_csv(tmp_path / "sales.csv", header, rows)
    return path, [dict(zip(header, row, strict=True)) for row in rows]


@pytest.fixture
def profile_of(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Profile a text as if it were a file."""

    def profile(text: str, name: str = "data.csv") -> dict[str, Any]:
        path = tmp_path / name
        path.write_bytes(text.encode())
        with open_tables(path, name) as tables:
            return profile_table(tables[0])[0]

    return profile


def column(profile: dict[str, Any], name: str) -> dict[str, Any]:
    found = [entry for entry in profile["columns"] if entry["name"] == name]
    assert len(found) == 1, [entry["name"] for entry in profile["columns"]]
    entry: dict[str, Any] = found[0]
    return entry
