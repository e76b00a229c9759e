"""What is called critical in a workspace before anybody has said anything else."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from agents.ids import new_id
from clawgroups.core.changes import Insert
from clawgroups.core.critical import CRITICAL
from clawgroups.models import Rule


def critical_rules(workspace_id: UUID, now: datetime) -> list[Insert]:
    """The rules that a new workspace begins with; nobody has made them, and its admins may revoke them."""
    return [
        Insert(
            Rule._meta.label,
            new_id(),
            {
                "workspace_id": workspace_id,
                "answer": "critical",
                "kinds": list(one.kinds),
                "commands": list(one.commands),
                "note": one.note,
                "made_at": now,
            },
        )
        for one in CRITICAL
    ]
