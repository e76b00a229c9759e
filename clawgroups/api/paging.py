"""Lists by cursor: `?limit=&cursor=`, where the cursor is the place after the last item given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from ninja import Query, Schema
from pydantic import Field

from clawgroups.core.errors import Invalid

M = TypeVar("M", bound=Model)
Json = dict[str, Any]


class Paged(Schema):
    """Where to go on, and how far."""

    limit: int = Field(100, ge=1, le=1000)
    cursor: str = ""


Paging = Query[Paged]


def page(rows: QuerySet[M], paged: Paged, show: Callable[[M], Json], *, order: str = "-id") -> Json:
    """{"items", "next"}: ids grow with time, so `-id` is newest first."""
    column, newest = order.lstrip("-"), order.startswith("-")
    if paged.cursor:
        rows = rows.filter(**{f"{column}__{'lt' if newest else 'gt'}": _place(paged.cursor, column)})
    found = list(rows.order_by(order)[: paged.limit + 1])
    given = found[: paged.limit]
    more = len(found) > len(given)
    return {"items": [show(row) for row in given], "next": str(getattr(given[-1], column)) if more else None}


def _place(cursor: str, column: str) -> Any:
    try:
        return UUID(cursor) if column == "id" else int(cursor)
    except ValueError:
        raise Invalid("This cursor is not one of ours: leave it out to begin anew.", field="cursor") from None
