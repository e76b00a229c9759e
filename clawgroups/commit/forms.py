"""How the rows of a batch are read and written: one small interface, a form for PostgreSQL and one for SQLite.

What Django's ORM does per row and query costs several times what the database needs for it, so here
statements are written by hand over whole columns. Values go in and out as model fields have them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from clawgroups.commit.marks import Mark

if TYPE_CHECKING:
    import psycopg

Values = Mapping[str, Any]
# The transaction's own number, if it has written anything, and then our mark beside it.
NUMBER = (
    "WITH ours AS MATERIALIZED (SELECT pg_current_xact_id_if_assigned() AS number), marked AS ("
    "INSERT INTO clawgroups_writermark (id, number, at) SELECT %s, %s, now() FROM ours WHERE number IS NOT NULL "
    "ON CONFLICT (id) DO UPDATE SET number = EXCLUDED.number, at = EXCLUDED.at) SELECT number::text FROM ours"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows of one model that are to be locked, and which of their columns are to be read (by `attname`)."""

    model: type[models.Model]
    columns: tuple[str, ...]
    pks: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of one model that are to be written: `columns` of rows that exist, or new ones that hold all columns.

    Each row that exists holds its key, too; a new one leaves out a key that the database numbers by itself.
    """

    model: type[models.Model]
    columns: tuple[str, ...]
    rows: Sequence[Values]
    is_new: bool = False


class Form(Protocol):
    """Reads under lock and writes the rows of a batch."""

    def lock(self, wanted: Sequence[Wanted]) -> list[dict[Any, dict[str, Any]]]:
        """Lock rows, model after model in the order of their keys, and read them; what does not exist is missing."""
        ...

    def write(self, written: Sequence[Written], mark: Mark) -> tuple[list[int], str]:
        """Write rows, one after the other; how many each came to, and the transaction's own number, if it has one.

        Where it has one, `mark` is left with it.
        """
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
    row = {**values, pk_of(model).attname: pk}
    for name, field in fields.items():
        if name not in row:
            row[name] = field.get_default()
    if len(row) > len(fields):
        raise KeyError(f"{model._meta.label} has no column {', '.join(sorted(row.keys() - fields.keys()))}")
    return row


class SqliteForm:
    """SQLite: BEGIN IMMEDIATE has locked everything already; each row is a statement of one prepared text."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def lock(self, wanted: Sequence[Wanted]) -> list[dict[Any, dict[str, Any]]]:
        return [self._lock(one) for one in wanted]

    def _lock(self, one: Wanted) -> dict[Any, dict[str, Any]]:
        reading = _reading(one.model, one.columns, self._connection.alias)
        keys = [pk_of(one.model).get_db_prep_value(pk, self._connection) for pk in one.pks]
        with self._connection.cursor() as cursor:
            cursor.execute(reading.sql, [json.dumps(keys)])
            return reading.rows(cursor.fetchall(), self._connection)

    def write(self, written: Sequence[Written], mark: Mark) -> tuple[list[int], str]:
        return [self._insert(one) if one.is_new else self._update(one) for one in written], ""

    def _update(self, one: Written) -> int:
        quote = self._connection.ops.quote_name
        fields, pk = fields_of(one.model), pk_of(one.model)
        sets = ", ".join(f"{quote(_column(fields[c]))} = %s" for c in one.columns)
        sql = f"UPDATE {quote(one.model._meta.db_table)} SET {sets} WHERE {quote(_column(pk))} = %s"  # noqa: S608
        return self._many(sql, [*(fields[c] for c in one.columns), pk], one.rows)

    def _insert(self, one: Written) -> int:
        quote = self._connection.ops.quote_name
        fields = [fields_of(one.model)[c] for c in one.columns]
        names = ", ".join(quote(_column(field)) for field in fields)
        marks = ", ".join(["%s"] * len(fields))
        table = quote(one.model._meta.db_table)
        return self._many(f"INSERT INTO {table} ({names}) VALUES ({marks})", fields, one.rows)  # noqa: S608

    def _many(self, sql: str, fields: Sequence[models.Field[Any, Any]], rows: Sequence[Values]) -> int:
        with self._connection.cursor() as cursor:
            cursor.executemany(sql, [_prepared(fields, row, self._connection) for row in rows])
            return int(cursor.rowcount)


class PostgresForm:
    """PostgreSQL: all statements go over at once, the rows of each as one JSON document.

    A document costs a fraction of arrays or COPY, and a way to the server and back as much as a small statement.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def lock(self, wanted: Sequence[Wanted]) -> list[dict[Any, dict[str, Any]]]:
        if not wanted:
            return []
        readings = [_reading(one.model, one.columns, self._connection.alias) for one in wanted]
        keys = [_keys(one.pks) for one in wanted]
        found = []
        with self._cursor() as cursor:
            first = self._beginning()
            cursor.execute(";".join([*first, *(reading.sql for reading in readings)]), keys)
            for _ in first:
                cursor.nextset()
            for reading in readings:
                found.append(reading.rows(cursor.fetchall(), self._connection))
                cursor.nextset()
        return found

    def write(self, written: Sequence[Written], mark: Mark) -> tuple[list[int], str]:
        texts = [self._text(one) for one in written]
        given = [value for one in written for value in _given(one)]
        counts = []
        with self._cursor() as cursor:
            cursor.execute(";".join([*texts, NUMBER]), [*given, mark.writer, mark.number])
            for _ in written:
                counts.append(int(cursor.rowcount))
                cursor.nextset()
            (number,) = cursor.fetchone() or ("",)
            return counts, number or ""

    def _beginning(self) -> list[str]:
        """What begins the transaction, where this is its first statement: by itself it would be another way there and
        back, for which the writer waits twice for its turn."""
        from psycopg.pq import TransactionStatus  # noqa: PLC0415

        raw = self._connection.connection
        if raw.autocommit or raw.isolation_level is not None or raw.info.transaction_status != TransactionStatus.IDLE:
            return []
        raw.autocommit = True  # or psycopg would begin one, too; Django sets it anew before each transaction
        return ["BEGIN"]

    @contextmanager
    def _cursor(self) -> Iterator[psycopg.ClientCursor[Any]]:
        """One that puts values into the text: only so may many statements go over at once."""
        import psycopg  # noqa: PLC0415  (a tenth of a second of each start, where SQLite serves)

        self._connection.ensure_connection()
        with self._connection.wrap_database_errors, psycopg.ClientCursor(self._connection.connection) as cursor:
            yield cursor

    def _text(self, one: Written) -> str:
        made = _inserting if one.is_new else _updating
        return made(one.model, one.columns, self._connection.alias)


@dataclass(frozen=True, slots=True)
class _Reading:
    sql: str
    columns: tuple[str, ...]
    loads: tuple[tuple[str, Any, list[Any]], ...]

    def rows(self, lines: Sequence[Sequence[Any]], connection: BaseDatabaseWrapper) -> dict[Any, dict[str, Any]]:
        """The rows by their keys, with values as model fields have them."""
        found = [dict(zip(self.columns, line, strict=True)) for line in lines]
        for name, column, converters in self.loads:
            for row in found:
                for convert in converters:
                    row[name] = convert(row[name], column, connection)
        key = self.columns[0]
        return {row[key]: row for row in found}


@cache
def _reading(model: type[models.Model], columns: tuple[str, ...], using: str) -> _Reading:
    connection = connections[using]
    quote = connection.ops.quote_name
    fields, pk = fields_of(model), pk_of(model)
    read = (pk.attname, *(c for c in columns if c != pk.attname))
    names = ", ".join(quote(_column(fields[c])) for c in read)
    key, table = quote(_column(pk)), quote(model._meta.db_table)
    if connection.vendor == "postgresql":
        which = f"{key} = ANY(%s::{_type(pk, connection)}[]) ORDER BY {key} FOR NO KEY UPDATE"
    else:
        which = f"{key} IN (SELECT value FROM json_each(%s)) ORDER BY {key}"  # noqa: S608
    places = [(c, fields[c].get_col(model._meta.db_table)) for c in read]
    loads = [(c, at, connection.ops.get_db_converters(at) + at.get_db_converters(connection)) for c, at in places]
    sql = f"SELECT {names} FROM {table} WHERE {which}"  # noqa: S608
    return _Reading(sql, read, tuple(one for one in loads if one[2]))


@cache
def _updating(model: type[models.Model], columns: tuple[str, ...], using: str) -> str:
    connection = connections[using]
    quote = connection.ops.quote_name
    fields, pk = fields_of(model), pk_of(model)
    sets = ", ".join(f"{quote(_column(fields[c]))} = {_given_as(fields[c])}" for c in columns)
    shape = _shape([pk, *(fields[c] for c in columns)], connection)
    key = quote(_column(pk))
    # By the keys as well: any document is taken for a hundred rows, for which small tables would be read as a whole.
    return (
        f"UPDATE {quote(model._meta.db_table)} AS row SET {sets} "  # noqa: S608
        f"FROM json_to_recordset(%s::json) AS given({shape}) "
        f"WHERE row.{key} = given.{pk.attname} AND row.{key} = ANY(%s::{_type(pk, connection)}[])"
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


def _given(one: Written) -> list[str]:
    """The values of a statement: its document, and of rows that are there already their keys."""
    document = _document(one)
    if one.is_new:
        return [document]
    key = pk_of(one.model).attname
    return [document, _keys(row[key] for row in one.rows)]


def _keys(pks: Iterable[Any]) -> str:
    """An array of PostgreSQL, as text, of numbers, uuids or names of ours."""
    return f"{{{orjson.dumps([*pks])[1:-1].decode()}}}"


def _document(one: Written) -> str:
    rows = one.rows
    if not one.is_new:
        names = (pk_of(one.model).attname, *one.columns)
        rows = [{name: row[name] for name in names} for row in one.rows]
    try:
        return orjson.dumps(rows, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # A number beyond 64 bits, or half a character: what the database says of it is told in words.
        return json.dumps(rows, default=str)


def _column(field: models.Field[Any, Any]) -> str:
    return str(field.column)


def _prepared(
    fields: Sequence[models.Field[Any, Any]], row: Values, connection: BaseDatabaseWrapper
) -> tuple[Any, ...]:
    return tuple(_prepared_one(field, row[field.attname], connection) for field in fields)


def _prepared_one(field: models.Field[Any, Any], value: Any, connection: BaseDatabaseWrapper) -> Any:
    """A value for its column. As on PostgreSQL, null is a value of its own for JSON that must not be missing."""
    if value is None and isinstance(field, models.JSONField) and not field.null:
        return "null"
    return field.get_db_prep_save(value, connection)
