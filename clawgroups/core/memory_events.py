"""Facts about what is remembered; part of the vocabulary in `core.events`."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from clawgroups.core.event_base import JournalEvent


class MemoryKept(JournalEvent):
    """no note or an older one → note: something is remembered here under a key, for those in its scope.

    `task_id` or `agent_id` says for which task or agent; without either it is for everybody.
    """

    type: Literal["memory.kept"] = "memory.kept"
    memory_id: UUID
    key: str
    task_id: UUID | None = None
    agent_id: UUID | None = None


class MemoryEdited(JournalEvent):
    """note → note: a person changed its text."""

    type: Literal["memory.edited"] = "memory.edited"
    memory_id: UUID
    key: str
    task_id: UUID | None = None


class MemoryStruck(JournalEvent):
    """note → struck out: a person saw that it is wrong; it is still there, and offered to nobody."""

    type: Literal["memory.struck"] = "memory.struck"
    memory_id: UUID
    key: str
    task_id: UUID | None = None


class MemoryRestored(JournalEvent):
    """struck out → note: a person took that back, and it is offered again."""

    type: Literal["memory.restored"] = "memory.restored"
    memory_id: UUID
    key: str
    task_id: UUID | None = None


class MemoryForgotten(JournalEvent):
    """struck out → no note: an admin removed it for good, with everything that it once said."""

    type: Literal["memory.forgotten"] = "memory.forgotten"
    memory_id: UUID


MemoryEvent = MemoryKept | MemoryEdited | MemoryStruck | MemoryRestored | MemoryForgotten
