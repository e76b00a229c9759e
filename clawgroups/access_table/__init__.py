"""Which address and which socket message asks for which action: data for doors and the access test.

Every URL name and every message type stands here; a route without a row fails the tests. Values
are names of `permissions.ACTIONS` or of its gates.
"""

from __future__ import annotations

from clawgroups.access_table.api import API
from clawgroups.access_table.pages import PAGES

ROUTES: dict[str, str] = {**API, **PAGES}

MESSAGES: dict[str, str] = {
    "subscribe": "journal.view",
    "unsubscribe": "signed_in",
    "ack": "signed_in",
    "watch": "task.view",
    "unwatch": "signed_in",
    "people": "workspace.view",
    "typing": "message.post",
    "needs": "signed_in",
}
