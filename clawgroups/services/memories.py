"""Verbs on what a workspace remembers: short notes that outlive a session.

A note says who wrote it last and what it came out of; to everybody else it is data, never an instruction. What people
write and strike out stands: an agent replaces neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any
from uuid import UUID, uuid5

from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Delete, Expect, Fact, Insert, Outcome, Put, Update, Write
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.memory_events import MemoryEdited, MemoryForgotten, MemoryKept, MemoryRestored, MemoryStruck
from clawgroups.core.remembering import indexed
from clawgroups.models import Memory
from clawgroups.permissions import get_memory, get_message, get_task, require
from clawgroups.services.workspaces import clean_text

SCOPES = ("workspace", "task", "agent")
MAX_KEY = 80
MAX_NOTE = 4000
MAX_NOTES = 500  # for everybody of a workspace, or of one task or one agent there
NOTE, VERSION = "clawgroups.Memory", "clawgroups.MemoryVersion"


def remember(
    workspace_id: UUID,
    *,
    key: str,
    text: str,
    scope: str = "workspace",
    task_id: UUID | None = None,
    attempt_id: UUID | None = None,
    message_id: UUID | None = None,
    actor: Actor,
    provided: tuple[Expect, ...] = (),
    operation: str = "",
) -> Future[Outcome]:
    """Keep a note under a key; the same key in the same scope replaces it. Answer: {"id", "replaced"}.

    `scope`: for everybody here ("workspace"), for whoever works on `task_id` ("task"), or for the agent itself
    ("agent"). `attempt_id`, `message_id`: what it comes out of. `provided`: what must still be so when it is kept.
    Raises `Invalid`, and `Conflict` when it is full, or where an agent would replace what a person said.
    """
    expects = require(actor, "memory.keep", workspace_id)
    task, agent = _scope(workspace_id, scope, task_id, actor)
    key = " ".join(clean_text(key, what="Key", limit=MAX_KEY, required=True).split())
    text = clean_text(text, what="Note", limit=MAX_NOTE, required=True)
    pk = note_id(workspace_id, key, task or agent)
    before = Memory.objects.filter(pk=pk).first()
    _check_room(before, workspace_id, task, agent, actor)
    kept = {
        **_source(workspace_id, attempt_id, message_id, actor),
        "key": key,
        "text": text,
        "words": indexed(pk, workspace_id, key, text),
    }
    where = {"workspace_id": workspace_id, "task_id": task, "agent_id": agent}
    fact = MemoryKept(memory_id=pk, key=key, task_id=task, agent_id=agent)
    answer = {"id": str(pk), "replaced": before is not None}
    return _write(before, pk, where, kept, fact, actor, (*expects, *provided), operation, "memory.keep", answer)


def note_id(workspace_id: UUID, key: str, scope: UUID | None = None) -> UUID:
    """The note under this key: for everybody, or for one task or agent."""
    return uuid5(workspace_id, f"memory:{scope or ''}:{' '.join(key.split()).casefold()}")


def _scope(workspace_id: UUID, scope: str, task_id: UUID | None, actor: Actor) -> tuple[UUID | None, UUID | None]:
    """The task or agent that a note is for. Raises `Invalid`."""
    if scope not in SCOPES or (scope == "task") > (task_id is not None) or (scope == "agent") > bool(actor.agent_id):
        raise Invalid(f"Choose a scope that fits here: {', '.join(SCOPES)}.", field="scope")
    if scope == "task" and task_id is not None:
        if get_task(actor, task_id, "task.view").workspace_id != workspace_id:
            raise Invalid("That task is in another workspace.", field="scope")
        return task_id, None
    return None, actor.agent_id if scope == "agent" else None


def _check_room(before: Memory | None, workspace_id: UUID, task: UUID | None, agent: UUID | None, actor: Actor) -> None:
    """Raises `Conflict` where nothing more fits, or where an agent would put itself above a person."""
    if before is None:
        here = Memory.objects.filter(workspace=workspace_id, task=task, agent=agent)
        if here.count() >= MAX_NOTES:
            raise Conflict(
                f"{MAX_NOTES} notes are kept here already. Replace one, or ask a person to remove some.",
                code="memory_full",
            )
        return
    if actor.kind is not ActorKind.AGENT:
        return
    if before.struck_at is not None:
        who = (before.struck_by or {}).get("name", "A person")
        raise Conflict(
            f"{who} struck this note out. Do not keep it again; if you are sure that it is right, ask them.",
            code="memory_struck",
        )
    if before.actor.get("kind") == ActorKind.PERSON.value:
        raise Conflict(
            f"{before.actor.get('name', 'A person')} wrote this note, and only people change it. Keep what you found"
            " under another key.",
            code="memory_of_a_person",
        )


def _source(
    workspace_id: UUID, attempt_id: UUID | None, message_id: UUID | None, actor: Actor
) -> dict[str, UUID | None]:
    """What a note comes out of. Raises `Invalid` for a message of another workspace."""
    if message_id is not None and get_message(actor, message_id, "memory.view").workspace_id != workspace_id:
        raise Invalid("That message is in another workspace.", field="message")
    return {"attempt_id": attempt_id, "message_id": message_id}


def edit_note(
    memory_id: UUID, *, text: str, shown: UUID | None = None, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Change what a note says. `shown`: the version that was looked at; where there is a newer one: `Conflict`."""
    note = get_memory(actor, memory_id, "memory.edit")
    text = clean_text(text, what="Note", limit=MAX_NOTE, required=True)
    if shown is not None and shown != note.version and text != note.text:
        who = note.actor.get("name", "Somebody")
        raise Conflict(
            f"{who} has changed this note since you opened it. Look at what it says now, then save again.",
            code="changed_meanwhile",
        )
    kept = {
        "attempt_id": note.attempt_id,
        "message_id": note.message_id,
        "text": text,
        "words": indexed(note.pk, note.workspace_id, note.key, text),
    }
    fact = MemoryEdited(memory_id=note.pk, key=note.key, task_id=note.task_id)
    expects = require(actor, "memory.edit", note.workspace_id)
    answer = {"id": str(note.pk)}
    return _write(note, note.pk, {}, kept, fact, actor, expects, operation, "memory.edit", answer)


def strike_out(memory_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Say that a note is wrong: people still see it, with who struck it out; it is offered to nobody."""
    note = get_memory(actor, memory_id, "memory.edit")
    if note.struck_at is not None:
        raise Conflict("This note is struck out already.", code="memory_struck")
    return _marked(note, "struck", MemoryStruck, actor, operation)


def take_back(memory_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Let a note that was struck out hold again."""
    note = get_memory(actor, memory_id, "memory.edit")
    if note.struck_at is None:
        raise Conflict("This note is not struck out.", code="memory_holds")
    return _marked(note, "restored", MemoryRestored, actor, operation)


def forget(memory_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Remove a note that is struck out for good, with what it once said: a secret that should not have been kept."""
    note = get_memory(actor, memory_id, "memory.forget")
    expects = require(actor, "memory.forget", note.workspace_id)
    if note.struck_at is None:
        raise Conflict("Strike the note out first; then it can be removed for good.", code="memory_holds")
    still = Expect(NOTE, note.pk, {"version": note.version})
    gone: tuple[Write, ...] = tuple(
        Delete(VERSION, pk) for pk in note.versions.order_by("at", "id").values_list("pk", flat=True)
    )
    return commit.submit(
        Change(
            actor,
            note.workspace_id,
            (*expects, still),
            (*gone, Delete(NOTE, note.pk)),
            (Fact(note.workspace_id, MemoryForgotten(memory_id=note.pk)),),
            operation,
            verb="memory.forget",
            answer={"id": str(note.pk)},
        )
    )


def _write(
    before: Memory | None,
    pk: UUID,
    where: Mapping[str, Any],
    kept: Mapping[str, Any],
    fact: MemoryKept | MemoryEdited,
    actor: Actor,
    expects: tuple[Expect, ...],
    operation: str,
    verb: str,
    answer: Mapping[str, Any],
) -> Future[Outcome]:
    """A note as it is from now on, and the version that says so."""
    now = timezone.now()
    if before is not None and before.struck_at is None and _says(before, kept, actor):
        # The same once more by the same is no change: nothing to tell, and nothing to keep.
        return commit.submit(Change(actor, before.workspace_id, expects, (), (), operation, verb=verb, answer=answer))
    workspace = UUID(str(where["workspace_id"])) if before is None else before.workspace_id
    version = _version(pk, workspace, "edited" if isinstance(fact, MemoryEdited) else "kept", kept, actor, now)
    values = {**kept, "actor": actor.as_json(), "kept_at": now, "version": version.pk}
    note: Write
    if before is None:
        note = Put(NOTE, pk, {**where, **values})
    else:
        holds = {} if isinstance(fact, MemoryEdited) else {"struck_at": None, "struck_by": None}
        note = Update(NOTE, pk, {**values, **holds}, {"version": before.version})
    facts = (Fact(workspace, fact),)
    return commit.submit(Change(actor, workspace, expects, (note, version), facts, operation, verb=verb, answer=answer))


def _says(before: Memory, kept: Mapping[str, Any], actor: Actor) -> bool:
    same = before.text == kept["text"] and before.key == kept.get("key", before.key)
    return bool(same and before.actor == actor.as_json())


def _marked(
    note: Memory, what: str, made: type[MemoryStruck | MemoryRestored], actor: Actor, operation: str
) -> Future[Outcome]:
    """A note that is struck out from now on, or holds again."""
    now = timezone.now()
    source = {"attempt_id": None, "message_id": None, "text": note.text}
    version = _version(note.pk, note.workspace_id, what, source, actor, now)
    struck = what == "struck"
    values = {
        "struck_at": now if struck else None,
        "struck_by": actor.as_json() if struck else None,
        "version": version.pk,
    }
    return commit.submit(
        Change(
            actor,
            note.workspace_id,
            require(actor, "memory.edit", note.workspace_id),
            (Update(NOTE, note.pk, values, {"version": note.version}), version),
            (Fact(note.workspace_id, made(memory_id=note.pk, key=note.key, task_id=note.task_id)),),
            operation,
            verb=f"memory.{what}",
            answer={"id": str(note.pk), "struck": struck},
        )
    )


def _version(pk: UUID, workspace: UUID, what: str, kept: Mapping[str, Any], actor: Actor, now: Any) -> Insert:
    values = {name: kept[name] for name in ("text", "attempt_id", "message_id")}
    said = {"memory_id": pk, "workspace_id": workspace, "what": what, "actor": actor.as_json(), "at": now}
    return Insert(VERSION, new_id(), {**said, **values})
