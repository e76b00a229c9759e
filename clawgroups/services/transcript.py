"""What an agent said and did, as rows: parts, steps, plan, and how far its link has been taken.

One change holds the effects of frames and the number of the last of them, so that a link which
goes on after any crash neither loses nor repeats a word. A `Standing` is what must be known of a
session to place the next words; it is a cache that the change itself checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from django.db.models.functions import Length, Right
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Fact, Outcome, Update, Write
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.core.novelty import Memory, call_mark, plan_mark, step_mark
from clawgroups.core.transcript import (
    RECENT_PARTS,
    RECENT_STEPS,
    Said,
    Standing,
    after_stop,
)
from clawgroups.keyed import row_of
from clawgroups.models import Command, Part, Session, Step
from clawgroups.planned import Planned
from clawgroups.services.attempts import TURNS
from clawgroups.services.transcript_page import Page

REMEMBERED = 20  # parts and steps that are read to know what was said and done before
REMEMBERED_TEXT = 4000


@dataclass(slots=True)
class Batch:
    """What one session said since the last record; `after` is where it then stands."""

    standing: Standing
    said: Sequence[Said]
    after: Standing | None = None


_rows_of: Planned[Any] = Planned(
    lambda session_ids: Session.objects.filter(pk__in=session_ids).values_list(
        "pk",
        "workspace_id",
        "task_id",
        "attempt_id",
        "attempt__epoch",
        "attempt__state",
        "attempt__plan",
        "attempt__repeats",
        "attempt__member__user_id",
        "task__epoch",
        "told",
        "task__run_id",
        "agent_id",
    )
)
_parts_of: Planned[Any] = Planned(
    lambda attempt_id: (
        Part.objects.filter(attempt_id=attempt_id)
        .order_by("-ordinal", "-pk")
        .values_list("pk", "ordinal", "kind", "after_stop", Length("text"), "at")[:RECENT_PARTS]
    )
)
_steps_of: Planned[Any] = Planned(
    lambda attempt_id: (
        Step.objects.filter(attempt_id=attempt_id).order_by("-ordinal").values_list("pk", "ordinal")[:RECENT_STEPS]
    )
)
_said_in: Planned[Part] = Planned(
    lambda attempt_id: (
        Part.objects.filter(attempt_id=attempt_id, kind="text").exclude(text="").order_by("-ordinal", "-pk")[:20]
    )
)
_said_since: Planned[Part] = Planned(
    lambda attempt_id, at: (
        Part.objects.filter(attempt_id=attempt_id, kind="text", at__gte=at)
        .exclude(text="")
        .order_by("-ordinal", "-pk")[:20]
    )
)


def load(session_ids: Iterable[UUID]) -> dict[UUID, Standing]:
    """Where sessions stand now, from their rows."""
    # Columns, not models: this is read for every turn of every agent.
    return {row[0]: _standing(_Row(*row)) for row in _rows_of(list(session_ids))}


class _Row(NamedTuple):
    session_id: UUID
    workspace_id: UUID
    task_id: UUID
    attempt_id: UUID
    epoch: int
    state: str
    plan: list[Any]
    repeats: int
    holder_id: int | None
    task_epoch: int
    told: dict[str, Any]
    run_id: UUID
    agent_id: UUID


def _standing(row: _Row) -> Standing:
    recent, steps = _parts_of(row.attempt_id), _steps_of(row.attempt_id)
    last_step = steps[0][1] if steps else 0
    last_part = recent[0][1] if recent else 0
    live = row.state in ATTEMPT_LIVE and row.epoch == row.task_epoch
    tail = None
    if recent and last_part > last_step and recent[0][3] is not live and _in_turn(row.session_id, recent[0][5]):
        tail = (recent[0][2], recent[0][0])
    return Standing(
        session_id=row.session_id,
        workspace_id=row.workspace_id,
        task_id=row.task_id,
        attempt_id=row.attempt_id,
        epoch=row.epoch,
        live=live,
        holder_id=row.holder_id,
        run_id=row.run_id,
        agent_id=row.agent_id,
        ordinal=max(last_part, last_step) + 1,
        tail=tail,
        plan=tuple(row.plan),
        told=row.told,
        parts={pk: (ordinal, length) for pk, ordinal, _, _, length, _ in reversed(recent)},
        steps={pk: None for pk, _ in reversed(steps)},
        all_parts=len(recent) < RECENT_PARTS,
        all_steps=len(steps) < RECENT_STEPS,
        open_steps=None if steps else {},
        memory=_memory(row) if recent or steps or row.plan else Memory(row.repeats),
    )


def _memory(row: _Row) -> Memory:
    """What an attempt said and did last, so that a repetition is known as one after a restart, too."""
    memory = Memory(row.repeats)
    parts = Part.objects.filter(attempt=row.attempt_id, after_stop=False).order_by("-ordinal", "-pk")
    said = list(parts.values_list(Right("text", REMEMBERED_TEXT), flat=True)[:REMEMBERED])
    steps = Step.objects.filter(attempt=row.attempt_id).order_by("-ordinal")
    done: list[str] = [plan_mark(row.plan)] if row.plan else []
    for kind, title, status, detail in reversed(steps.values_list("kind", "title", "status", "detail")[:REMEMBERED]):
        done += [call_mark(kind, title, detail), step_mark(kind, title, status, detail)]
    memory.recall(reversed(said), done)
    return memory


def _in_turn(session_id: UUID, at: datetime) -> bool:
    """Whether a turn runs that had begun by then: a message never goes on in another turn."""
    begun = Command.objects.filter(session=session_id, state="sent", purpose__in=TURNS, sent_at__lte=at)
    return begun.exists()


def last_message(command_id: UUID) -> str:
    """The last thing an agent said in the turn of this prompt; empty if it said nothing."""
    command = row_of(Command, command_id)
    if command is None or command.attempt_id is None:
        return ""
    sent = command.sent_at
    recent = _said_in(command.attempt_id) if sent is None else _said_since(command.attempt_id, sent)
    for part, before in zip_longest(recent, recent[1:]):
        if part.text.strip():
            goes_on = before is not None and _goes_on(before, part, command.session_id)
            return before.text + part.text if before is not None and goes_on else part.text
    return ""


def _goes_on(before: Part, part: Part, session_id: UUID | None) -> bool:
    """Whether a stop fell into the middle of this message: words of it stand on both sides."""
    if before.after_stop or not part.after_stop:
        return False
    if part.pk == after_stop(before.pk):
        return True
    # An agent that names no messages says one until it does something else; that has a number, too.
    unnamed = uuid5(part.attempt_id, f"{session_id}:text:#{part.ordinal}")
    return part.pk == after_stop(unnamed) and part.ordinal == before.ordinal + 1


def record(
    link: UUID, *, epoch: int, since: int, received: int, batches: Sequence[Batch], actor: Actor
) -> Future[Outcome]:
    """Store what the frames of `link` after `since` up to `received` said, all of it or nothing.

    Fenced by the connection's epoch and count: a socket that was replaced records nothing any more,
    and nothing is recorded twice, however often an unknown outcome makes us try. What an
    attempt says after it is over is kept as read-only evidence; it moves nothing and is not journaled.
    """
    now = timezone.now()
    expects: list[Expect] = []
    writes: list[Write] = [
        Update("agents.Connection", link, {"received": received}, {"epoch": epoch, "received": since})
    ]
    facts: list[Fact] = []
    wakes: list[str] = []
    for batch in batches:
        page = Page(batch.standing.copy(), actor, now)
        page.read_up(batch.said)
        for said in batch.said:
            page.add(said)
        page.close()
        expects += page.expects
        writes += page.writes
        facts += page.facts
        wakes += page.wakes
        batch.after = page.standing
    return commit.submit(
        Change(
            actor=actor,
            expects=tuple(expects),
            writes=tuple(writes),
            facts=tuple(facts),
            verb="record",
            wakes=tuple(wakes),
        )
    )
