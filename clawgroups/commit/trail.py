"""Rows of the audit trail, bound to what a batch adds; part of its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

from clawgroups.commit.image import AUDIT_HEAD, Image
from clawgroups.core import audit


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
    number = head.values["number"] + 1
    told = audit.tell(chain, number, at, actor, action, detail)
    digest = audit.digest(key(), head.values["digest"], told)
    image.set(AUDIT_HEAD, chain, {"number": number, "digest": digest})
    return {
        "chain": chain,
        "number": number,
        "at": at,
        "action": action,
        "who": audit.who(actor),
        "told": told,
        "digest": digest,
    }
