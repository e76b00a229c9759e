"""Reading the audit trail: found by kind, name and time, told as lines of JSON, and held against its digests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from clawgroups.commit import trail
from clawgroups.core import audit
from clawgroups.models import AuditHead, AuditRow

CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of a kind (`task.taken_over`, or all of `task.`), by a name, from a moment on and until another."""

    action: str = ""
    who: str = ""
    since: datetime | None = None
    until: datetime | None = None


def rows_of(chain: UUID, wanted: Wanted | None = None) -> QuerySet[AuditRow, AuditRow]:
    """The rows of a chain, the first one first."""
    wanted, found = wanted or Wanted(), AuditRow.objects.filter(chain=chain).order_by("number")
    if wanted.action:
        found = found.filter(action__startswith=wanted.action)
    if wanted.who:
        found = found.filter(who__icontains=wanted.who)
    if wanted.since is not None:
        found = found.filter(at__gte=wanted.since)
    return found if wanted.until is None else found.filter(at__lt=wanted.until)


def head_of(chain: UUID) -> tuple[int, str]:
    """Where a chain ends: the number and the digest of its last row."""
    head = AuditHead.objects.filter(pk=chain).first()
    return (head.number, head.digest) if head is not None else (0, audit.BEGINNING)


def verify(chain: UUID) -> audit.Fault | None:
    """Hold every row of a chain against its digest; None where all of it stands as it was written."""
    # The head first: a row that is added meanwhile is looked at with the next look.
    number, digest = head_of(chain)
    return audit.first_fault(trail.key(), chain, _until(chain, number), head=(number, digest))


def chains() -> list[UUID]:
    """Every chain that there is or was: of the heads, and of rows whose head is gone."""
    heads = set(AuditHead.objects.values_list("pk", flat=True))
    return sorted(heads | set(AuditRow.objects.order_by().values_list("chain", flat=True).distinct()))


def lines(chain: UUID, wanted: Wanted | None = None) -> Iterator[str]:
    """The rows as lines of JSON, each with its digest; what they say is as it was bound."""
    for row in rows_of(chain, wanted).iterator(CHUNK):
        yield json.dumps({**said(row), "digest": row.digest}, ensure_ascii=False) + "\n"


def said(row: AuditRow) -> dict[str, Any]:
    """What a row says: chain, number, at, actor, action, detail."""
    told: dict[str, Any] = json.loads(row.told)
    return told


def _until(chain: UUID, number: int) -> Iterator[audit.Row]:
    rows = AuditRow.objects.filter(chain=chain).order_by("number", "pk")
    for row in rows.iterator(CHUNK):
        # What was added since the head was read; a row of the same number twice is told as a missing one.
        if row.number > number:
            return
        yield audit.Row(row.number, row.at, row.action, row.who, row.told, row.digest)
