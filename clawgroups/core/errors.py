"""What can go wrong, as values every door can show.

ClawError
├── Invalid           422  the input is wrong; says what to do
├── NotFound          404  does not exist, or is none of the actor's business (same answer for both)
├── Forbidden         403  the actor's role lacks the permission
├── Unauthenticated   401  no valid session, key or token
├── Conflict          409  the state does not allow it now; says who holds it
│   ├── IllegalMove        a verb that the lifecycle does not know in this state
│   └── StaleAttempt       written under an epoch that is over
├── TooLarge          413
├── TooOften          429  says in how many seconds (`retry_after`) to try again
├── Busy              503  try again: back-pressure or an outage of ours
└── OutcomeUnknown    504  repeat with the same operation id
"""

from __future__ import annotations

from typing import Any


class ClawError(Exception):
    """Base of every expected failure: a stable `code`, an HTTP status, a sentence for people."""

    code = "error"
    status = 400

    def __init__(self, message: str, *, code: str | None = None, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields
        if code is not None:
            self.code = code


class Invalid(ClawError):
    code = "invalid"
    status = 422


class NotFound(ClawError):
    code = "not_found"
    status = 404


class Forbidden(ClawError):
    code = "forbidden"
    status = 403


class Unauthenticated(ClawError):
    code = "unauthenticated"
    status = 401


class Conflict(ClawError):
    code = "conflict"
    status = 409


class IllegalMove(Conflict):
    code = "illegal_move"


class StaleAttempt(Conflict):
    code = "stale_attempt"


class TooLarge(ClawError):
    code = "too_large"
    status = 413


class TooOften(ClawError):
    code = "rate_limited"
    status = 429


class Busy(ClawError):
    code = "busy"
    status = 503


class OutcomeUnknown(ClawError):
    code = "outcome_unknown"
    status = 504
