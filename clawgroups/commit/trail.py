"""Rows of the audit trail, bound to what a batch adds; part of its transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from clawgroups.commit.image import AUDIT_HEAD, Image
from clawgroups.core import audit
from clawgroups.models import AuditHead, AuditRow


def key() -> bytes:
    """What digests are keyed with; another secret of the installation makes no old chain hold."""
    return _key(settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    return salted_hmac("clawgroups.audit", "chain", secret=secret, algorithm="sha256").digest()


def row(
    image: Image, chain: UUID, at: datetime, actor: Mapping[str, Any], action: str, detail: Mapping[str, Any]
) -> dict[str, Any]:
    """The next row of a chain, whose head the batch has locked; the head moves on to it."""
    head = image.row(AUDIT_HEAD, chain)
    if head.values is None:
        image.insert(AUDIT_HEAD, chain, {})
        head = image.row(AUDIT_HEAD, chain)
    assert head.values is not None
    values = _next(chain, head.values["number"], head.values["digest"], at, actor, action, detail)
    image.set(AUDIT_HEAD, chain, {"number": values["number"], "digest": values["digest"]})
    return values


def put_down(actor: Mapping[str, Any], audits: Iterable[audit.Audit]) -> None:
    """Rows of the installation's chain, as part of the caller's own transaction: accounts are written as Django writes.

    The head is locked until that transaction is over. Raises RuntimeError outside of one.
    """
    rows, chain, at = list(audits), audit.INSTALLATION, timezone.now()
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("put_down() outside of a transaction: what it tells of could stand without it, or it alone")
    if not rows:
        return
    AuditHead.objects.get_or_create(pk=chain)
    head = AuditHead.objects.select_for_update().get(pk=chain)
    for one in rows:
        made = AuditRow(**_next(chain, head.number, head.digest, at, actor, one.action, one.detail))
        made.save(force_insert=True)
        head.number, head.digest = made.number, made.digest
    head.save(update_fields=["number", "digest"])


def _next(
    chain: UUID, number: int, before: str, at: datetime, actor: Mapping[str, Any], action: str, detail: Any
) -> dict[str, Any]:
    """The row that follows on the one of this number, with the digest `before`."""
    told = audit.tell(chain, number + 1, at, actor, action, detail)
    return {
        "chain": chain,
        "number": number + 1,
        "at": at,
        "action": action,
        "who": audit.who(actor),
        "told": told,
        "digest": audit.digest(key(), before, told),
    }
