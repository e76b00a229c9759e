"""Rows by their keys, read with statements that are built once.

To build a query with its joins takes Django several times as long as the database takes to answer it, and every
frame of every agent asks for the same few rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

M = TypeVar("M", bound=models.Model)
Converted = tuple[int, Any, list[Callable[..., Any]]]
DATABASE = "default"


def row_of(model: type[M], key: Any, *related: str) -> M | None:
    """The row of this primary key, None where there is none; `related` names foreign keys whose rows come along.

    They are read one after the other: a row that was deleted meanwhile is none.
    """
    row = _read(model, key)
    if row is None:
        return None
    for name in related:
        field: Any = model._meta.get_field(name)
        other = getattr(row, field.attname)
        if other is None:
            continue
        found = _read(field.related_model, other)
        if found is None:
            return None
        setattr(row, name, found)
    return row


def _read(model: type[M], key: Any) -> M | None:
    connection = connections[DATABASE]
    statement, names, converters = _prepared(model, connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(statement, [model._meta.pk.get_db_prep_value(key, connection)])
        found = cursor.fetchone()
    if found is None:
        return None
    values = list(found)
    for place, column, each in converters:
        for convert in each:
            values[place] = convert(values[place], column, connection)
    return model.from_db(DATABASE, names, values)


@cache
def _prepared(model: type[models.Model], _vendor: str) -> tuple[str, list[str], list[Converted]]:
    connection: BaseDatabaseWrapper = connections[DATABASE]
    fields, quote = model._meta.concrete_fields, connection.ops.quote_name
    columns = [field.get_col(model._meta.db_table) for field in fields]
    each = [connection.ops.get_db_converters(column) + column.get_db_converters(connection) for column in columns]
    converters = [(place, columns[place], found) for place, found in enumerate(each) if found]
    listed = ", ".join(quote(str(field.column)) for field in fields)
    pk = quote(str(model._meta.pk.column))
    statement = f"SELECT {listed} FROM {quote(model._meta.db_table)} WHERE {pk} = %s"  # noqa: S608
    return statement, [field.attname for field in fields], converters
