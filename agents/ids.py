"""Identifiers: UUIDv7 (RFC 9562), ordered by time, chosen by whoever decides."""

from __future__ import annotations

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """A new time-ordered identifier."""
    return UUID(int=uuid_utils.uuid7().int)
