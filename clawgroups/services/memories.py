"""Verbs on what a workspace remembers: short notes that outlive a session.

A note says who wrote it last; to everybody else it is data, never an instruction.
"""

from __future__ import annotations

import re
from concurrent.futures import Future
from uuid import UUID, uuid5

from django.db.models import Q, QuerySet
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Delete, Expect, Fact, Outcome, Put
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.events import MemoryForgotten, MemoryKept
from clawgroups.models import Memory
from clawgroups.permissions import get_memory, get_task, require
from clawgroups.services.workspaces import clean_text

SCOPES = ("workspace", "task", "agent")
MAX_KEY = 80
MAX_NOTE = 4000
MAX_NOTES = 500  # of one workspace
MAX_FOUND = 20
LOOKED_AT = 200
WORD = re.compile(r"\w+")


def remember(
    workspace_id: UUID,
    *,
    key: str,
    text: str,
    scope: str = "workspace",
    task_id: UUID | None = None,
    actor: Actor,
    provided: tuple[Expect, ...] = (),
    operation: str = "",
) -> Future[Outcome]:
    """Keep a note under a key; the same key in the same scope replaces it. Answer: {"id", "replaced"}.

    `scope`: for everybody here ("workspace"), for whoever works on `task_id` ("task"), or for the agent itself
    ("agent"). `provided`: what must still be so when it is kept. Raises `Invalid`, and `Conflict` when it is full.
    """
    expects = require(actor, "memory.keep", workspace_id)
    if scope not in SCOPES or (scope == "task") > (task_id is not None) or (scope == "agent") > bool(actor.agent_id):
        raise Invalid(f"Choose a scope that fits here: {', '.join(SCOPES)}.", field="scope")
    if scope == "task" and task_id is not None:
        get_task(actor, task_id, "task.view")
    key = " ".join(clean_text(key, what="Key", limit=MAX_KEY, required=True).split())
    text = clean_text(text, what="Note", limit=MAX_NOTE, required=True)
    task = task_id if scope == "task" else None
    agent = actor.agent_id if scope == "agent" else None
    pk = note_id(workspace_id, key, task or agent)
    replaced = Memory.objects.filter(pk=pk).exists()
    if not replaced and Memory.objects.filter(workspace=workspace_id).count() >= MAX_NOTES:
        raise Conflict(
            f"{MAX_NOTES} notes are kept here already. Replace one, or ask a person to remove some.",
            code="memory_full",
        )
    values = {
        "workspace_id": workspace_id,
        "task_id": task,
        "agent_id": agent,
        "key": key,
        "text": text,
        "actor": actor.as_json(),
        "kept_at": timezone.now(),
    }
    return commit.submit(
        Change(
            actor,
            workspace_id,
            (*expects, *provided),
            (Put("clawgroups.Memory", pk, values),),
            (Fact(workspace_id, MemoryKept(memory_id=pk, key=key, task_id=task, agent_id=agent)),),
            operation,
            verb="memory.keep",
            answer={"id": str(pk), "replaced": replaced},
        )
    )


def note_id(workspace_id: UUID, key: str, scope: UUID | None = None) -> UUID:
    """The note under this key: for everybody, or for one task or agent."""
    return uuid5(workspace_id, f"memory:{scope or ''}:{' '.join(key.split()).casefold()}")


def forget(memory_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Take a note away."""
    note = get_memory(actor, memory_id, "memory.forget")
    expects = require(actor, "memory.forget", note.workspace_id)
    return commit.submit(
        Change(
            actor,
            note.workspace_id,
            expects,
            (Delete("clawgroups.Memory", note.pk),),
            (Fact(note.workspace_id, MemoryForgotten(memory_id=note.pk)),),
            operation,
            verb="memory.forget",
            answer={"id": str(note.pk)},
        )
    )


def notes_of(workspace_id: UUID, actor: Actor) -> QuerySet[Memory]:
    """All notes of a workspace, newest first; without those for other agents, where an agent asks."""
    require(actor, "memory.view", workspace_id)
    notes = Memory.objects.filter(workspace=workspace_id).select_related("task", "agent")
    return notes if actor.agent_id is None else notes.filter(Q(agent=None) | Q(agent=actor.agent_id))


def recall(workspace_id: UUID, *, query: str, task_id: UUID | None, actor: Actor) -> list[Memory]:
    """The notes that fit best, at most 20: for everybody here, for this task, and the agent's own.

    Fitting means words in common, those of the key first; without words the newest.
    """
    notes = notes_of(workspace_id, actor)
    mine = Q(task=None, agent=None) | Q(task=task_id, agent=None) | Q(task=None, agent=actor.agent_id)
    words = {word.casefold() for word in WORD.findall(query)[:20]}
    found = notes.filter(mine)
    if not words:
        return list(found[:MAX_FOUND])
    any_word = Q()
    for word in words:
        any_word |= Q(key__icontains=word) | Q(text__icontains=word)
    ranked = sorted(found.filter(any_word)[:LOOKED_AT], key=lambda note: -_fit(note, words))
    return ranked[:MAX_FOUND]


def _fit(note: Memory, words: set[str]) -> int:
    key, text = note.key.casefold(), note.text.casefold()
    return sum(3 * (word in key) + (word in text) for word in words)
