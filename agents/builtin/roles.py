"""What a column is good for: adding up, averaging, grouping, naming a row. Decided from its name and its figures."""

from __future__ import annotations

import re
from typing import Literal

from agents.builtin.columns import Column

Role = Literal["measure", "rate", "category", "identifier", "date", "words", "empty"]

MAX_KEYS = 1_000
"""A column with more different values is not grouped by."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_IDENTIFIER = frozenset(
    {
        "id",
        "ids",
        "no",
        "nr",
        "num",
        "number",
        "code",
        "zip",
        "plz",
        "postcode",
        "postal",
        "phone",
        "tel",
        "telephone",
        "sku",
        "key",
        "uuid",
        "ean",
        "isbn",
        "iban",
        "index",
        "row",
        "date",
        "datum",
        "day",
        "month",
        "monat",
        "year",
        "jahr",
        "week",
        "quarter",
        "account",
        "ref",
        "reference",
    }
)
_AMOUNT = frozenset(
    {
        "amount",
        "total",
        "revenue",
        "sales",
        "cost",
        "qty",
        "quantity",
        "units",
        "sum",
        "value",
        "count",
        "sold",
        "orders",
        "visits",
    }
)
_RATE = frozenset(
    {
        "price",
        "rate",
        "ratio",
        "percent",
        "pct",
        "percentage",
        "score",
        "rating",
        "age",
        "temperature",
        "temp",
        "avg",
        "average",
        "mean",
        "median",
        "share",
        "index",
        "lat",
        "latitude",
        "lon",
        "lng",
        "longitude",
        "grade",
        "speed",
        "height",
        "bmi",
        "discount",
        "humidity",
        "pressure",
    }
)


def words_of(name: str) -> list[str]:
    """The words of a column name in lower case: order_id, orderID and "Order ID" give the same two."""
    return [word.casefold() for word in _WORD.findall(name)]


def role_of(column: Column, *, filled: int, distinct: int, low: object = None, high: object = None) -> Role:
    """The role of a column with `filled` values, `distinct` of them different."""
    if column.type == "empty":
        return "empty"
    if column.reading == "date":
        return "date"
    if column.reading == "boolean":
        return "category"
    if column.reading == "text":
        grouped = 2 <= distinct <= MAX_KEYS and distinct <= max(filled // 2, 2)
        return "category" if grouped else "identifier" if distinct == filled > 1 else "words"
    return _number_role(column, filled, distinct, low, high)


def _number_role(column: Column, filled: int, distinct: int, low: object, high: object) -> Role:
    words = set(words_of(column.name))
    if words & _RATE or column.unit == "%":
        return "rate"
    if column.type == "integer" and not words & _AMOUNT:
        if words & _IDENTIFIER:
            return "category" if distinct <= 60 and distinct <= max(filled // 5, 2) else "identifier"
        counted = isinstance(low, int) and isinstance(high, int) and high - low + 1 == distinct == filled
        if counted and filled > 10:
            return "identifier"
    return "measure"
