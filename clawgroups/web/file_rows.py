"""A file of a workspace, by its address."""

from __future__ import annotations

from uuid import UUID

from clawgroups.core.actors import Actor
from clawgroups.core.errors import NotFound
from clawgroups.models import Artifact
from clawgroups.permissions import get_artifact


def file_of(actor: Actor, workspace_id: UUID, artifact_id: UUID, action: str) -> Artifact:
    """A file, under the address of its own workspace only."""
    row = get_artifact(actor, artifact_id, action)
    if row.workspace_id != workspace_id:
        raise NotFound("There is no such file in this workspace.")
    return row
