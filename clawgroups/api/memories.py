"""What a workspace remembers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from clawgroups.api import schemas, shown
from clawgroups.api.access import actor_of
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, write
from clawgroups.services import memories

router = Router(tags=["memories"])


@router.get("/workspaces/{uuid:workspace_id}/memories")
def list_memories(request: HttpRequest, workspace_id: UUID, paged: Paging) -> Answer:
    """All notes of a workspace; an agent is not given what is for other agents."""
    notes = memories.notes_of(workspace_id, actor_of(request))
    return page(notes, paged, shown.memory, order="id")


@router.post("/workspaces/{uuid:workspace_id}/memories", response={201: dict[str, Any]})
def remember(request: HttpRequest, response: HttpResponse, workspace_id: UUID, body: schemas.MemoryIn) -> Answer:
    """Keep a note for everybody here; the same key replaces it."""
    return write(request, response, memories.remember, workspace_id, key=body.key, text=body.text)


@router.delete("/memories/{uuid:memory_id}")
def forget(request: HttpRequest, response: HttpResponse, memory_id: UUID) -> Answer:
    """Take a note away."""
    return write(request, response, memories.forget, memory_id)
