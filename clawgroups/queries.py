"""Reads that services, pages and the coordinator share."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from clawgroups.models import Artifact, Attempt, Task


def newest_files(attempt: Attempt, *kinds: str) -> list[Artifact]:
    """The files of these kinds that an attempt left: of each name the newest."""
    rows = Artifact.objects.filter(attempt=attempt, kind__in=kinds).order_by("created_at", "pk")
    return list({row.name: row for row in rows}.values())


def late_files(attempt: Attempt) -> list[Artifact]:
    """The files that belong to a late result, also those from before its attempt was over."""
    return newest_files(attempt, "result", "late")


def asked_now(task: Task, now: datetime) -> UUID | None:
    """Who is asked for a task at this moment."""
    asked = task.brief.get("asked") or []
    waits_for_them = task.state == "ready" and task.blocked_on == "person"
    if not asked or not waits_for_them or task.not_before is None or task.not_before <= now:
        return None
    return UUID(asked[-1])
