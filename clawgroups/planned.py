"""Queries that are written once and asked again and again with other values.

To write a query takes Django several times as long as the database takes to answer it: with hundreds of agents that was
half of what the web process did.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler

T = TypeVar("T")
DATABASE = "default"
_LISTS = (list, tuple, set, frozenset)
_PLAIN = (UUID, datetime, str, int)


class Planned(Generic[T]):
    """The rows of a query, by the values that it is asked with.

    `written` makes the query of them, and must make the same one whatever they are: it is called once, with values that
    stand for others. What says something else in SQL (None, an empty list) is written anew, and a single key is a
    statement of its own. Where a list is not sent as one value, which is on SQLite, there is one for each length,
    doubled from one to the next. What is given by name, as how many rows at most, is a part of the statement.
    """

    def __init__(self, written: Callable[..., QuerySet[Any, T]]) -> None:
        self._written = written
        self._plans: dict[tuple[Any, ...], _Plan] = {}

    def __call__(self, *values: Any, **within: Any) -> list[T]:
        """Ask it. Raises ValueError where a value is not among what the statement is sent with."""
        connection = connections[DATABASE]
        values = tuple(list(one) if isinstance(one, _LISTS) else one for one in values)
        if not all(map(_may_stand, values)):
            return list(self._written(*values, **within))
        if connection.vendor != "postgresql":
            values = tuple(_lengthened(one) if isinstance(one, list) else one for one in values)
        shape = (connection.vendor, *(_kind(one, connection) for one in values), *within.items())
        plan = self._plans.get(shape)
        if plan is None:
            plan = self._plans[shape] = _plan(partial(self._written, **within), values, connection)
        return list(plan.asked(values, connection))

    def first(self, *values: Any, **within: Any) -> T | None:
        """The first of them, if there is one."""
        return next(iter(self(*values, **within)), None)


def _may_stand(value: Any) -> bool:
    """Whether another value of its kind would be the same statement."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, UUID) for one in value)
    return isinstance(value, _PLAIN) and not isinstance(value, bool)


def _lengthened(keys: list[Any]) -> list[Any]:
    """The same keys, the last of them as often as it takes to be as many as a power of two."""
    return keys + keys[-1:] * ((1 << (len(keys) - 1).bit_length()) - len(keys))


def _kind(value: Any, connection: BaseDatabaseWrapper) -> str:
    many = len(value) if isinstance(value, list) and (connection.vendor != "postgresql" or len(value) == 1) else ""
    return f"{type(value).__name__}{many}"


@dataclass(frozen=True, slots=True)
class _Plan:
    query: QuerySet[Any, Any]
    compiler: SQLCompiler
    sql: str
    # What is sent with it; where something of the values goes, its number among all that they consist of.
    sent: tuple[tuple[Any, int | None], ...]

    def asked(self, values: Sequence[Any], connection: BaseDatabaseWrapper) -> Iterable[Any]:
        given = _parts(values, connection)
        sent = [constant if place is None else given[place] for constant, place in self.sent]
        compiler = copy.copy(self.compiler)
        compiler.connection = connection  # each thread has its own
        vars(compiler)["as_sql"] = lambda *_args, **_more: (self.sql, sent)
        rows: Any = self.query
        return rows._iterable_class(_Asked(rows, compiler))  # type: ignore[no-any-return]


class _Asked:
    """What makes rows of answers looks only at these of a query."""

    def __init__(self, rows: Any, compiler: SQLCompiler) -> None:
        self.db, self.model, self._known_related_objects = DATABASE, rows.model, rows._known_related_objects
        self.query = _Compiled(rows.query, compiler)


class _Compiled:
    """A query that has been compiled."""

    def __init__(self, query: Any, compiler: SQLCompiler) -> None:
        self._query, self._compiler = query, compiler

    def get_compiler(self, *_args: Any, **_more: Any) -> SQLCompiler:
        return self._compiler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._query, name)


def _plan(written: Callable[..., QuerySet[Any, Any]], values: Sequence[Any], connection: BaseDatabaseWrapper) -> _Plan:
    standing = [_standing_for(one) for one in values]
    query = written(*standing)
    compiler = query.query.get_compiler(DATABASE)
    sql, params = compiler.as_sql()
    parts = _parts(standing, connection)
    sent = [(param, parts.index(param) if param in parts else None) for param in params]
    if missing := set(range(len(parts))) - {place for _, place in sent}:
        raise ValueError(f"The values {sorted(missing)} are not in the statement: {sql}")
    return _Plan(query, compiler, sql, tuple(sent))


def _standing_for(value: Any) -> Any:
    """A value of the same kind that nothing else in the statement is equal to."""
    match value:
        case list():
            return [uuid4() for _ in value]
        case UUID():
            return uuid4()
        case datetime():
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=random.randrange(1 << 50))
        case str():
            return uuid4().hex[:20]
        case _:
            return random.randrange(1 << 29, 1 << 30)


def _parts(values: Iterable[Any], connection: BaseDatabaseWrapper) -> list[Any]:
    """What the values consist of, as it is sent: a list of several is one on PostgreSQL, elsewhere each of its keys."""
    whole = connection.vendor == "postgresql"
    parts: list[Any] = []
    for one in values:
        is_one = not isinstance(one, list) or (whole and len(one) > 1)
        parts += [_prepared(each, connection) for each in ([one] if is_one else one)]
    return parts


def _prepared(value: Any, connection: BaseDatabaseWrapper) -> Any:
    """The value as this database is sent it."""
    if isinstance(value, UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
