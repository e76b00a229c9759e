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
from clawgroups.services import memories, recalling

router = Router(tags=["memories"])


@router.get("/workspaces/{uuid:workspace_id}/memories")
def list_memories(
    request: HttpRequest, workspace_id: UUID, paged: Paging, q: str = "", struck: bool | None = None
) -> Answer:
    """All notes of a workspace; an agent is not given what is for other agents, nor what is struck out.

    `q`: those that have one of these words. `struck`: only those that are struck out, or only those that are not.
    """
    notes = recalling.notes_of(workspace_id, actor_of(request), q)
    if struck is not None:
        notes = notes.filter(struck_at__isnull=not struck)
    return page(notes, paged, shown.memory, order="id")


@router.post("/workspaces/{uuid:workspace_id}/memories", response={201: dict[str, Any]})
def remember(request: HttpRequest, response: HttpResponse, workspace_id: UUID, body: schemas.MemoryIn) -> Answer:
    """Keep a note for everybody here, or for whoever works on `task`; the same key replaces it."""
    return write(
        request,
        response,
        memories.remember,
        workspace_id,
        key=body.key,
        text=body.text,
        scope="task" if body.task else "workspace",
        task_id=body.task,
        message_id=body.message,
    )


@router.get("/memories/{uuid:memory_id}")
def show_memory(request: HttpRequest, memory_id: UUID) -> Answer:
    """A note with what was done to it, oldest first: the newest 200 versions."""
    note = recalling.note(memory_id, actor_of(request))
    newest = note.versions.order_by("-at", "-id")[:200]
    return {**shown.memory(note), "versions": [shown.memory_version(one) for one in newest][::-1]}


@router.put("/memories/{uuid:memory_id}")
def edit_memory(request: HttpRequest, response: HttpResponse, memory_id: UUID, body: schemas.MemoryEditIn) -> Answer:
    """Change what a note says; what it said stays in its versions."""
    return write(request, response, memories.edit_note, memory_id, text=body.text, shown=body.version)


@router.post("/memories/{uuid:memory_id}/strike")
def strike_memory(request: HttpRequest, response: HttpResponse, memory_id: UUID) -> Answer:
    """Strike a note out: it stays visible to people, and is offered to nobody."""
    return write(request, response, memories.strike_out, memory_id)


@router.post("/memories/{uuid:memory_id}/restore")
def restore_memory(request: HttpRequest, response: HttpResponse, memory_id: UUID) -> Answer:
    """Let a note that was struck out hold again."""
    return write(request, response, memories.take_back, memory_id)


@router.delete("/memories/{uuid:memory_id}")
def forget(request: HttpRequest, response: HttpResponse, memory_id: UUID) -> Answer:
    """Remove a note that is struck out for good, with all its versions. For admins."""
    return write(request, response, memories.forget, memory_id)
