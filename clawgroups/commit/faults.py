"""What a database error means for the change that met it: wait, tell, or a fault of ours."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connections

from clawgroups.core.errors import Busy, Conflict, Invalid

# Serialisation failure, deadlock, lock not available.
_LOCKS = frozenset({"40001", "40P01", "55P03"})
# Connection lost, server going down or not up yet, too many connections.
_AWAY = ("08", "57", "53300")
_UNIQUE_STATE = "23505"
_UNIQUE_NAMES = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})
_PRIMARY_CODE = 0xFF

# Kept, so that no collector in a child finishes the parent's connections.
_inherited: list[object] = []


def passes(fault: BaseException) -> bool:
    """Whether the same statements may succeed later: a lock, a deadlock, a lost connection."""
    cause = fault.__cause__
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & _PRIMARY_CODE
        return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    state = getattr(cause, "sqlstate", None)
    return state is None or state in _LOCKS or state.startswith(_AWAY)


def outage(fault: BaseException) -> Busy | None:
    """What a door answers to an error of a read while the database is away; None for any other fault."""
    if not isinstance(fault, (OperationalError, InterfaceError)) or not passes(fault):
        return None
    return Busy("The database does not answer; nothing was lost. Try again in a moment.")


def connection_lost(fault: BaseException) -> bool:
    """Whether the server may have gone on after the connection ended: a commit is then in doubt."""
    cause = fault.__cause__
    state = getattr(cause, "sqlstate", None)
    return not isinstance(cause, sqlite3.Error) and (state is None or state.startswith(_AWAY))


def told(fault: Exception) -> Exception:
    """What the caller is told: an expected failure where its input or a race explains the error."""
    cause = fault.__cause__
    if isinstance(fault, (DataError, UnicodeEncodeError, OverflowError)):
        answer: Exception = Invalid(
            "This cannot be stored: a text holds characters that no text may hold, or a value is too large.",
            code="not_storable",
        )
    elif isinstance(fault, IntegrityError) and (
        getattr(cause, "sqlstate", "") == _UNIQUE_STATE or getattr(cause, "sqlite_errorname", "") in _UNIQUE_NAMES
    ):
        answer = Conflict("Somebody else was quicker: this exists already.", code="already_exists")
    else:
        return fault
    answer.__cause__ = fault
    return answer


def forget_connections() -> None:
    """In a forked child: leave the parent's pooled connections to the parent, without a word on them."""
    wrapper: Any = connections["default"]
    if wrapper.vendor == "postgresql":
        _inherited.append(dict(wrapper._connection_pools))
        wrapper._connection_pools.clear()
