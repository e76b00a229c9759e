"""Files of a run as rows."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Insert
from clawgroups.services.files import StoredFile


def artifact(
    workspace_id: UUID,
    run_id: UUID,
    stored: StoredFile,
    *,
    kind: str,
    actor: Actor,
    task_id: UUID | None = None,
    attempt_id: UUID | None = None,
    revision: int = 1,
) -> Insert:
    """A file's row, as part of a larger change."""
    values = {
        "workspace_id": workspace_id,
        "run_id": run_id,
        "task_id": task_id,
        "attempt_id": attempt_id,
        "kind": kind,
        "name": stored.name,
        "revision": revision,
        "size": stored.size,
        "sha256": stored.sha256,
        "content_type": stored.content_type,
        "actor": actor.as_json(),
        "created_at": timezone.now(),
    }
    return Insert("clawgroups.Artifact", new_id(), values)
