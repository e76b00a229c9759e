"""Reading the journal: its head, its pages, and the state of a workspace at one exact entry.

Shared by the REST API and the sockets. Nothing here asks who may read: doors did.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from clawgroups.core.errors import NotFound
from clawgroups.core.fold import State, digest, task_row
from clawgroups.models import Approval, Entry, Member, Run, Task, Workspace
from clawgroups.planned import Planned

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """Where a journal stands."""

    generation: int
    seq: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A workspace as rows say it is at exactly `head`."""

    head: Head
    state: State

    def as_json(self) -> Json:
        return {
            "generation": self.head.generation,
            "seq": self.head.seq,
            "hash": digest(self.state),
            "state": self.state,
        }


def head_of(workspace_id: UUID) -> Head:
    """The journal's head. Raises `NotFound`."""
    row = Workspace.objects.filter(pk=workspace_id).values_list("generation", "head").first()
    if row is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    return Head(*row)


def entries_after(workspace_id: UUID, generation: int, after: int, limit: int) -> list[Entry]:
    """At most `limit` entries of this generation that follow `after`, in order."""
    found = Entry.objects.filter(workspace_id=workspace_id, generation=generation, seq__gt=after)
    return list(found.order_by("seq")[:limit])


@cache
def _following(limit: int) -> Planned[Entry]:
    return Planned(
        lambda workspace_id, generation, after: Entry.objects.filter(
            workspace_id=workspace_id, generation=generation, seq__gt=after, workspace__generation=F("generation")
        ).order_by("seq")[:limit]
    )


def read_on(workspace_id: UUID, generation: int, after: int, limit: int) -> tuple[Head, list[Entry]]:
    """The head, and at most `limit` entries that follow `after`; none once another generation has begun.

    With entries the head is where they end: there may be more. Raises `NotFound`.
    """
    entries = _following(limit)(workspace_id, generation, after)
    return Head(generation, entries[-1].seq) if entries else head_of(workspace_id), entries


def entry_as_json(entry: Entry) -> Json:
    """An entry as clients get it, the same by REST and by socket."""
    return {
        "seq": entry.seq,
        "at": entry.at.isoformat().replace("+00:00", "Z"),
        "actor": entry.actor,
        "type": entry.type,
        "payload": entry.payload,
    }


def snapshot(workspace_id: UUID, *, approvals: bool = True) -> Snapshot:
    """The state at the head, read in one transaction that sees no later commit."""
    if connection.in_atomic_block:
        return _read(workspace_id, approvals)
    with transaction.atomic():
        # SQLite's IMMEDIATE transaction holds writers off; PostgreSQL reads from one snapshot.
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return _read(workspace_id, approvals)


def _read(workspace_id: UUID, approvals: bool) -> Snapshot:
    head = head_of(workspace_id)
    room = Workspace.objects.get(pk=workspace_id)
    state: State = {
        "workspace": {"name": room.name, "goal": room.goal, "rules": room.rules},
        "members": _members(workspace_id),
        "runs": _runs(workspace_id),
        "tasks": _tasks(workspace_id),
        "approvals": _approvals(workspace_id) if approvals else {},
    }
    return Snapshot(head, state)


def _members(workspace_id: UUID) -> Json:
    rows = Member.objects.filter(workspace_id=workspace_id, left_at=None)
    return {
        str(pk): {"name": name, "role": role, "agent": _text(agent), "user": user}
        for pk, name, role, agent, user in rows.values_list("pk", "name", "role", "agent_id", "user_id")
    }


def _runs(workspace_id: UUID) -> Json:
    rows = Run.objects.filter(workspace_id=workspace_id).values_list("pk", "goal", "state", "paused")
    return {str(pk): {"goal": goal, "state": state, "paused": paused} for pk, goal, state, paused in rows}


def _tasks(workspace_id: UUID) -> Json:
    columns = ("pk", "run_id", "state", "epoch", "assignee_id", "holder_id", "attempt_id")
    rows = Task.objects.filter(workspace_id=workspace_id).values_list(*columns)
    return {
        str(pk): task_row(
            str(run), state, epoch=epoch, assignee=_text(assignee), holder=_text(holder), attempt=_text(attempt)
        )
        for pk, run, state, epoch, assignee, holder, attempt in rows
    }


def _approvals(workspace_id: UUID) -> Json:
    rows = Approval.objects.filter(workspace_id=workspace_id, state="open")
    return {
        str(pk): {"task": str(task), "attempt": str(attempt)}
        for pk, task, attempt in rows.values_list("pk", "task_id", "attempt_id")
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
