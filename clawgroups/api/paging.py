"""Lists by cursor: `?limit=&cursor=`, where the cursor is the place after the last item given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import DateTimeField, Model, Q, QuerySet
from ninja import Query, Schema
from pydantic import Field

from clawgroups.core.errors import Invalid

M = TypeVar("M", bound=Model)
Json = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Paged(Schema):
    """Where to go on, and how far."""

    limit: int = Field(100, ge=1, le=1000)
    cursor: str = ""


Paging = Query[Paged]


def page(rows: QuerySet[M], paged: Paged, show: Callable[[M], Json], *, order: str = "-id") -> Json:
    """{"items", "next"}, in the order of a column; "-" is newest first.

    Ids grow with time, but not those that are names (uuid5): for such rows give the column of their moment.
    """
    column, newest = order.lstrip("-"), order.startswith("-")
    timed = isinstance(rows.model._meta.get_field(column), DateTimeField)
    if paged.cursor:
        rows = rows.filter(_after(paged.cursor, column, "lt" if newest else "gt", timed=timed))
    # Several may be of one moment.
    by = [order, "-id" if newest else "id"] if timed else [order]
    found = list(rows.order_by(*by)[: paged.limit + 1])
    given = found[: paged.limit]
    more = len(found) > len(given)
    return {"items": [show(row) for row in given], "next": _place(given[-1], column, timed=timed) if more else None}


def _place(row: Model, column: str, *, timed: bool) -> str:
    value = getattr(row, column)
    # In microseconds: letters and digits only, so that it stands in an address as it is.
    return f"{(value - EPOCH) // timedelta(microseconds=1)}_{row.pk}" if timed else str(value)


def _after(cursor: str, column: str, beyond: str, *, timed: bool) -> Q:
    try:
        if not timed:
            return Q(**{f"{column}__{beyond}": UUID(cursor) if column == "id" else int(cursor)})
        at, pk = cursor.split("_")
        moment, last = EPOCH + timedelta(microseconds=int(at)), UUID(pk)
    except (ValueError, OverflowError):
        raise Invalid("This cursor is not one of ours: leave it out to begin anew.", field="cursor") from None
    return Q(**{f"{column}__{beyond}": moment}) | Q(**{column: moment, f"id__{beyond}": last})
