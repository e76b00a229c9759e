"""How keys are looked up in a list of them on PostgreSQL: as one array.

Django writes a placeholder for each, so that every length of list is a statement of its own to be planned. A single
key is compared: of an array of unknown length PostgreSQL expects ten, and plans the statement anew each time.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import ForeignKey, UUIDField
from django.db.models.fields.related_lookups import RelatedIn
from django.db.models.lookups import In
from django.db.models.sql.compiler import SQLCompiler

Sql = tuple[str, list[Any]]


def _any_of(lookup: In, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
    if lookup.rhs_is_direct_value():
        left, given = lookup.process_lhs(compiler, connection)
        places, keys = lookup.process_rhs(compiler, connection)
        # Not where an expression stands among them.
        if places == f"({', '.join(['%s'] * len(keys))})":
            if len(keys) == 1:
                return f"{left} = %s", [*given, *keys]
            return f"{left} = ANY(%s)", [*given, list(keys)]
    text, params = lookup.as_sql(compiler, connection)
    return text, list(params)


@UUIDField.register_lookup
class KeyIn(In):
    """`pk__in` of a model whose keys are UUIDs."""

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """The lookup as one array."""
        return _any_of(self, compiler, connection)


@ForeignKey.register_lookup
class RelatedKeyIn(RelatedIn):
    """`task__in`, `task_id__in`."""

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """The lookup as one array."""
        return _any_of(self, compiler, connection)
