"""How the rows of a batch are read and written: one small interface, a form for PostgreSQL and one for SQLite.

What Django's ORM does per row and query costs several times what the database needs for it, so here
statements are written by hand over whole columns. Values go in and out as model fields have them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import orjson
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

Values = Mapping[str, Any]
AT_ONCE = 5000  # below the number of variables that SQLite takes in a statement


class Form(Protocol):
    """Reads under lock and writes rows of one model. Columns are named by `attname`."""

    def lock(self, model: type[models.Model], columns: Sequence[str], pks: Sequence[Any]) -> dict[Any, dict[str, Any]]:
        """Lock these rows in the order of their keys and read them; those that do not exist are missing."""
        ...

    def update(self, model: type[models.Model], columns: Sequence[str], rows: Sequence[Values]) -> int:
        """Write `columns` of rows that exist; each of `rows` holds its key, too. How many were written."""
        ...

    def insert(self, model: type[models.Model], rows: Sequence[Values]) -> None:
        """Add rows; each holds all columns, but a key that the database numbers by itself."""
        ...


def form_of(connection: BaseDatabaseWrapper) -> Form:
    """The form for this connection."""
    return PostgresForm(connection) if connection.vendor == "postgresql" else SqliteForm(connection)


@cache
def fields_of(model: type[models.Model]) -> dict[str, models.Field[Any, Any]]:
    """The columns of a model by attname."""
    return {field.attname: field for field in model._meta.concrete_fields}


@cache
def pk_of(model: type[models.Model]) -> models.Field[Any, Any]:
    """The field of a model's key."""
    pk = model._meta.pk
    assert pk is not None
    return pk


def complete(model: type[models.Model], pk: Any, values: Values) -> dict[str, Any]:
    """A new row with the defaults of what is not given. Raises KeyError for a column that there is not."""
    fields = fields_of(model)
    if unknown := values.keys() - fields.keys():
        raise KeyError(f"{model._meta.label} has no column {', '.join(sorted(unknown))}")
    key = pk_of(model).attname
    return {
        name: pk if name == key else values[name] if name in values else field.get_default()
        for name, field in fields.items()
    }


class SqliteForm:
    """SQLite: BEGIN IMMEDIATE has locked everything already; each row is a statement of one prepared text."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def lock(self, model: type[models.Model], columns: Sequence[str], pks: Sequence[Any]) -> dict[Any, dict[str, Any]]:
        name = pk_of(model).attname
        lines = model._base_manager.using(self._connection.alias).order_by("pk").values(*{name, *columns})
        found: dict[Any, dict[str, Any]] = {}
        for start in range(0, len(pks), AT_ONCE):
            found.update({row[name]: row for row in lines.filter(pk__in=pks[start : start + AT_ONCE])})
        return found

    def update(self, model: type[models.Model], columns: Sequence[str], rows: Sequence[Values]) -> int:
        quote = self._connection.ops.quote_name
        fields, pk = fields_of(model), pk_of(model)
        sets = ", ".join(f"{quote(_column(fields[c]))} = %s" for c in columns)
        sql = f"UPDATE {quote(model._meta.db_table)} SET {sets} WHERE {quote(_column(pk))} = %s"  # noqa: S608
        return self._many(sql, [*(fields[c] for c in columns), pk], rows)

    def insert(self, model: type[models.Model], rows: Sequence[Values]) -> None:
        quote = self._connection.ops.quote_name
        fields = _given(model, rows)
        names = ", ".join(quote(_column(field)) for field in fields)
        marks = ", ".join(["%s"] * len(fields))
        table = quote(model._meta.db_table)
        self._many(f"INSERT INTO {table} ({names}) VALUES ({marks})", fields, rows)  # noqa: S608

    def _many(self, sql: str, fields: Sequence[models.Field[Any, Any]], rows: Sequence[Values]) -> int:
        with self._connection.cursor() as cursor:
            cursor.executemany(sql, [_prepared(fields, row, self._connection) for row in rows])
            return int(cursor.rowcount)


class PostgresForm:
    """PostgreSQL: the rows of a statement go over as one JSON document, which costs a fraction of arrays or COPY."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def lock(self, model: type[models.Model], columns: Sequence[str], pks: Sequence[Any]) -> dict[Any, dict[str, Any]]:
        reading = _reading(model, tuple(columns), self._connection.alias)
        with self._connection.cursor() as cursor:
            cursor.execute(reading.sql, ["{" + ",".join(f'"{one}"' for one in pks) + "}"])
            lines = cursor.fetchall()
        found = {line[0]: dict(zip(reading.columns, line, strict=True)) for line in lines}
        for column, converters in reading.loads:
            for row in found.values():
                for convert in converters:
                    row[column] = convert(row[column], None, self._connection)
        return found

    def update(self, model: type[models.Model], columns: Sequence[str], rows: Sequence[Values]) -> int:
        sql = _updating(model, tuple(columns), self._connection.alias)
        pk = pk_of(model).attname
        return self._write(sql, [{pk: row[pk], **{column: row[column] for column in columns}} for row in rows])

    def insert(self, model: type[models.Model], rows: Sequence[Values]) -> None:
        self._write(_inserting(model, tuple(rows[0]), self._connection.alias), rows)

    def _write(self, sql: str, rows: Sequence[Values]) -> int:
        document = _document(rows)
        with self._connection.cursor() as cursor:
            cursor.execute(sql, [document])
            return int(cursor.rowcount)


@dataclass(frozen=True, slots=True)
class _Reading:
    sql: str
    columns: tuple[str, ...]
    loads: tuple[tuple[str, list[Any]], ...]


@cache
def _reading(model: type[models.Model], columns: tuple[str, ...], using: str) -> _Reading:
    connection = connections[using]
    quote = connection.ops.quote_name
    fields, pk = fields_of(model), pk_of(model)
    read = (pk.attname, *(c for c in columns if c != pk.attname))
    names = ", ".join(quote(_column(fields[c])) for c in read)
    key = quote(_column(pk))
    sql = (
        f"SELECT {names} FROM {quote(model._meta.db_table)} WHERE {key} = ANY(%s::{_type(pk, connection)}[]) "  # noqa: S608
        f"ORDER BY {key} FOR NO KEY UPDATE"
    )
    loads = [(c, fields[c].get_db_converters(connection)) for c in read]
    return _Reading(sql, read, tuple(one for one in loads if one[1]))


@cache
def _updating(model: type[models.Model], columns: tuple[str, ...], using: str) -> str:
    connection = connections[using]
    quote = connection.ops.quote_name
    fields, pk = fields_of(model), pk_of(model)
    sets = ", ".join(f"{quote(_column(fields[c]))} = {_given_as(fields[c])}" for c in columns)
    shape = _shape([pk, *(fields[c] for c in columns)], connection)
    return (
        f"UPDATE {quote(model._meta.db_table)} AS row SET {sets} "  # noqa: S608
        f"FROM json_to_recordset(%s::json) AS given({shape}) WHERE row.{quote(_column(pk))} = given.{pk.attname}"
    )


@cache
def _inserting(model: type[models.Model], columns: tuple[str, ...], using: str) -> str:
    connection = connections[using]
    quote = connection.ops.quote_name
    written = [fields_of(model)[c] for c in columns]
    names = ", ".join(quote(_column(field)) for field in written)
    values = ", ".join(_given_as(field) for field in written)
    shape = _shape(written, connection)
    table = quote(model._meta.db_table)
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM json_to_recordset(%s::json) AS given({shape})"  # noqa: S608


def _shape(fields: Sequence[models.Field[Any, Any]], connection: BaseDatabaseWrapper) -> str:
    return ", ".join(f"{field.attname} {_type(field, connection)}" for field in fields)


def _given_as(field: models.Field[Any, Any]) -> str:
    """A column of the document. A null in it is no value at all, but to a column of JSON it is one."""
    name = f"given.{field.attname}"
    return f"coalesce({name}, 'null'::jsonb)" if isinstance(field, models.JSONField) and not field.null else name


def _type(field: models.Field[Any, Any], connection: BaseDatabaseWrapper) -> str:
    found = field.rel_db_type(connection) if field.primary_key else field.db_type(connection)
    assert found is not None
    # A cast to varchar(10) would cut what is longer, in silence.
    return found.partition("(")[0]


def _document(rows: Sequence[Values]) -> str:
    try:
        return orjson.dumps(rows, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # A number beyond 64 bits, or half a character: what the database says of it is told in words.
        return json.dumps(rows, default=str)


def _column(field: models.Field[Any, Any]) -> str:
    return str(field.column)


def _given(model: type[models.Model], rows: Sequence[Values]) -> list[models.Field[Any, Any]]:
    """The columns of new rows: all, but a key that the database numbers."""
    return [field for name, field in fields_of(model).items() if name in rows[0]]


def _prepared(
    fields: Sequence[models.Field[Any, Any]], row: Values, connection: BaseDatabaseWrapper
) -> tuple[Any, ...]:
    return tuple(field.get_db_prep_save(row[field.attname], connection) for field in fields)
