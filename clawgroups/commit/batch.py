"""One transaction for many changes: lock, check, number, write.

`apply` either commits all of a batch (changes that did not match answer so) or raises, in which
case nothing of it stands. Splitting and repeating is the writer's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DataError, InterfaceError, OperationalError, connections, transaction
from django.utils import timezone

from clawgroups.commit import faults, trail
from clawgroups.commit.image import WORKSPACE, Image, added, unmet
from clawgroups.commit.marks import Mark, next_mark
from clawgroups.core.actors import Actor
from clawgroups.core.audit import AUDITED, INSTALLATION
from clawgroups.core.changes import (
    Append,
    Change,
    Count,
    Delete,
    Fact,
    Insert,
    Mismatch,
    Outcome,
    Put,
    Update,
)
from clawgroups.core.errors import Conflict
from clawgroups.core.events import payload_of
from clawgroups.models import AuditRow, Entry, Operation, WriterMark

Answer = Outcome | Conflict
Logs = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""Rows to be added: of the journal, and of the audit trail."""


@dataclass(slots=True)
class Applied:
    """What a committed batch came to: an answer per change, and whom to hint."""

    answers: list[Answer] = field(default_factory=list)
    heads: dict[UUID, int] = field(default_factory=dict)
    types: dict[UUID, set[str]] = field(default_factory=dict)
    wakes: dict[str, None] = field(default_factory=dict)
    # PostgreSQL's own number of the transaction, known once everything but the commit is done.
    xid: str = ""
    # What it leaves beside that number: PostgreSQL gives one out again after a crash.
    mark: Mark = field(default_factory=next_mark)


class InDoubt(Exception):
    """The connection was lost during the commit: the batch may stand or not."""

    def __init__(self, applied: Applied) -> None:
        super().__init__("lost while committing")
        self.applied = applied


def operation_key(change: Change) -> str:
    """The identity of an operation: its scope, its actor and the id the caller chose."""
    actor = change.actor
    who = f"u{actor.user_id}" if actor.user_id is not None else f"a{actor.agent_id or actor.kind.value}"
    return f"{change.workspace_id or '-'}|{who}|{change.operation}"


def _digest(change: Change) -> str:
    return getattr(change.operation, "digest", "")


def apply(changes: Sequence[Change], *, using: str = "default") -> Applied:
    """Apply `changes` in order in one transaction of connection `using`.

    Raises `InDoubt` when the connection was lost in the commit; see `was_committed`.
    """
    done = Applied()
    try:
        with transaction.atomic(using=using):
            _apply_all(changes, done, using)
    except (OperationalError, InterfaceError) as fault:
        if done.xid and faults.connection_lost(fault):
            raise InDoubt(done) from fault
        raise
    return done


def _apply_all(changes: Sequence[Change], done: Applied, using: str) -> None:
    connection = connections[using]
    image = Image(connection)
    image.load(changes)
    known = _known_operations(changes, using)
    journal: list[dict[str, Any]] = []
    audited: list[dict[str, Any]] = []
    now = timezone.now()
    for change in changes:
        done.answers.append(_apply_one(image, change, known, (journal, audited), done, now))
    # By Django, which refuses an answer that would not come back as it was given.
    Operation.objects.using(using).bulk_create(
        sorted((op for op in known.values() if op._state.adding), key=lambda op: op.key), batch_size=500
    )
    done.xid = image.flush(
        done.mark, [added(model, rows) for model, rows in ((Entry, journal), (AuditRow, audited)) if rows]
    )


def was_committed(doubt: InDoubt, *, using: str = "default") -> bool:
    """What became of a batch whose commit was not answered. Raises OperationalError while nobody knows."""
    with connections[using].cursor() as cursor:
        try:
            cursor.execute("SELECT pg_xact_status(%s::xid8)", [doubt.applied.xid])
        except DataError:  # a number from the future: the server forgot the transaction when it died
            return False
        status = cursor.fetchone()[0]
    if status == "committed":
        # Ours, or that of somebody who was given the number after a crash in which ours was lost.
        mark = doubt.applied.mark
        return WriterMark.objects.using(using).filter(pk=mark.writer, number=mark.number).exists()
    if status == "aborted":
        return False
    raise OperationalError("the transaction is still in progress, or too long ago")


def _known_operations(changes: Sequence[Change], using: str) -> dict[str, Operation]:
    keys = [operation_key(change) for change in changes if change.operation]
    if not keys:
        return {}
    return {op.key: op for op in Operation.objects.using(using).filter(key__in=keys)}


def _apply_one(
    image: Image,
    change: Change,
    known: dict[str, Operation],
    added_to: Logs,
    done: Applied,
    now: datetime,
) -> Answer:
    key = operation_key(change) if change.operation else ""
    if key and (first := known.get(key)) is not None:
        if first.digest != _digest(change):
            return Conflict(
                "This Idempotency-Key was used for another request. Choose a new one.",
                code="idempotency_key_reused",
            )
        return Outcome(True, answer=first.answer, repeated=True)
    if (expect := unmet(image, change)) is not None:
        now_row = image.told(expect.model, expect.pk)
        return Outcome(False, mismatch=Mismatch(expect.model, expect.pk, now_row, expect.values))
    consequences = _write(image, change)
    facts = [*change.facts, *consequences]
    seqs = _journal(image, change.actor, facts, added_to, done, now)
    for one in change.audits:
        added_to[1].append(trail.row(image, INSTALLATION, now, change.actor.as_json(), one.action, one.detail))
    if key:
        known[key] = Operation(key=key, verb=change.verb, digest=_digest(change), answer=dict(change.answer), at=now)
    for topic in change.wakes:
        done.wakes[topic] = None
    return Outcome(True, answer=change.answer, seqs=seqs)


def _write(image: Image, change: Change) -> list[Fact]:
    """Fold a change's writes onto the image; returns the facts that counters at zero add."""
    added: list[Fact] = []
    for write in change.writes:
        match write:
            case Update():
                image.set(write.model, write.pk, write.values)
            case Insert():
                image.insert(write.model, write.pk, write.values)
            case Delete():
                image.delete(write.model, write.pk)
            case Put():
                if image.row(write.model, write.pk).values is None:
                    image.insert(write.model, write.pk, {**write.initial, **write.values})
                else:
                    image.set(write.model, write.pk, write.values)
            case Append():
                before = (image.row(write.model, write.pk).values or {})[write.column]
                image.set(write.model, write.pk, {write.column: (before + write.text)[-write.limit :]})
            case Count():
                added.extend(_count(image, write))
    return added


def _count(image: Image, write: Count) -> tuple[Fact, ...]:
    if (values := image.row(write.model, write.pk).values) is None:
        image.insert(write.model, write.pk, write.initial or {})
        values = image.row(write.model, write.pk).values or {}
    result = values[write.column] + write.delta
    image.set(write.model, write.pk, {write.column: result})
    if result == 0 and image.matches(write.model, write.pk, write.zero_expect):
        image.set(write.model, write.pk, write.zero_values)
        return write.zero_facts
    return ()


def _journal(
    image: Image, actor: Actor, facts: Sequence[Fact], added_to: Logs, done: Applied, now: datetime
) -> dict[UUID, int]:
    journal, audited = added_to
    seqs: dict[UUID, int] = {}
    for fact in facts:
        row = image.row(WORKSPACE, fact.workspace_id)
        values: dict[str, Any] = row.values or {}
        seq = values["head"] = values["head"] + 1
        row.dirty.add("head")
        by, payload, type_ = (fact.actor or actor).as_json(), payload_of(fact.event), fact.event.type
        journal.append(
            {
                "workspace_id": fact.workspace_id,
                "generation": values["generation"],
                "seq": seq,
                "at": now,
                "actor": by,
                "type": type_,
                "payload": payload,
            }
        )
        if type_ in AUDITED:
            audited.append(trail.row(image, fact.workspace_id, now, by, type_, payload))
        seqs[fact.workspace_id] = done.heads[fact.workspace_id] = seq
        done.types.setdefault(fact.workspace_id, set()).add(type_)
    return seqs
