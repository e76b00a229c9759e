"""Which address and which socket message asks for which action: data for doors and the access test.

Every URL name and every message type stands here; a route without a row fails the tests. Values
are names of `permissions.ACTIONS` or of its gates.
"""

from __future__ import annotations

ROUTES: dict[str, str] = {}

MESSAGES: dict[str, str] = {}
