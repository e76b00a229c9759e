"""Rows by their keys, read with statements that are built once.

To build a query with its joins takes Django several times as long as the database takes to answer it, and every
frame of every agent asks for the same few rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

M = TypeVar("M", bound=models.Model)
Converted = tuple[int, Any, list[Callable[..., Any]]]
DATABASE = "default"


def row_of(model: type[M], key: Any, *related: str) -> M | None:
    """The row of this primary key, None where there is none; `related` names foreign keys whose rows come along.

    One of a row that comes along is named after it: "attempt", "attempt__member".
    """
    connection = connections[DATABASE]
    reading = _reading(model, related, connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(reading.sql, [model._meta.pk.get_db_prep_value(key, connection)])
        found = cursor.fetchone()
    if found is None:
        return None
    values = list(found)
    for place, column, each in reading.converters:
        for convert in each:
            values[place] = convert(values[place], column, connection)
    row = model.from_db(DATABASE, reading.parts[0].names, values[: reading.parts[0].end])
    known: dict[str, Any] = {"": row}
    for name, part in zip(related, reading.parts[1:], strict=True):
        if values[part.key] is not None:
            owner, _, field = name.rpartition("__")
            known[name] = part.model.from_db(DATABASE, part.names, values[part.start : part.end])
            setattr(known[owner], field, known[name])
    return row


@dataclass(frozen=True, slots=True)
class _Part:
    """The columns of one model in a line of several: from `start` to before `end`, its primary key at `key`."""

    model: type[models.Model]
    start: int
    end: int
    key: int
    names: list[str]


@dataclass(frozen=True, slots=True)
class _Reading:
    sql: str
    parts: list[_Part]
    converters: list[Converted]


@cache
def _reading(model: type[models.Model], related: tuple[str, ...], _vendor: str) -> _Reading:
    connection: BaseDatabaseWrapper = connections[DATABASE]
    quote = connection.ops.quote_name
    # Each under a name of its own: two keys may lead to the same table.
    aliases = {name: f"t{number}" for number, name in enumerate(("", *related))}
    kinds: dict[str, Any] = {}
    parts, columns, tables = [], list[Any](), list[str]()
    for name, alias in aliases.items():
        owner, _, key = name.rpartition("__")
        field: Any = kinds[owner]._meta.get_field(key) if name else None
        one: Any = field.related_model if name else model
        kinds[name] = one
        fields, start = one._meta.concrete_fields, len(columns)
        names = [field.attname for field in fields]
        parts.append(_Part(one, start, start + len(fields), start + fields.index(one._meta.pk), names))
        columns += [field.get_col(alias) for field in fields]
        table = f"{quote(one._meta.db_table)} {alias}"
        if name:
            on = f"{alias}.{quote(one._meta.pk.column)} = {aliases[owner]}.{quote(field.column)}"
            table = f"LEFT JOIN {table} ON {on}"
        tables.append(table)
    each = [connection.ops.get_db_converters(column) + column.get_db_converters(connection) for column in columns]
    listed = ", ".join(f"{column.alias}.{quote(column.target.column)}" for column in columns)
    where = f"t0.{quote(str(model._meta.pk.column))} = %s"
    sql = f"SELECT {listed} FROM {' '.join(tables)} WHERE {where}"  # noqa: S608
    return _Reading(sql, parts, [(place, columns[place], found) for place, found in enumerate(each) if found])
