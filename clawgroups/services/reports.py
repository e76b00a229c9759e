"""Verbs by which an agent says something of its attempt in the middle of a turn: how far it is, what it understood."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.task_events import AttemptAcknowledged, ProgressReported
from clawgroups.models import Session, Task
from clawgroups.permissions import require
from clawgroups.services.artifacts import live_session, while_live
from clawgroups.services.attempts import fence
from clawgroups.services.deadlines import in_hand, waits_in_hand
from clawgroups.services.hands import on_behalf
from clawgroups.services.workspaces import clean_text

MAX_NOTE = 300
MAX_WORDS = 20_000


def report_progress(session_id: UUID, *, percent: int | None, note: str, actor: Actor) -> Future[Outcome]:
    """Say how far an attempt is. Answer: {"percent", "note"}. The same once more changes nothing.

    Only a percentage above the last one is progress by our clocks: words alone keep nobody's task.
    Raises `Invalid` when nothing is said, `StaleAttempt` when the attempt is over.
    """
    session = live_session(session_id, actor)
    expects = require(actor, "attempt.report", session.workspace_id)
    attempt = session.attempt
    actor, by_person = on_behalf(actor, attempt), attempt.member.user_id is not None
    note = " ".join(clean_text(note, what="Note", limit=MAX_NOTE).split())
    if percent is None and not note:
        raise Invalid("Say how far it is: a percentage, a note, or both.", field="note")
    if percent is not None and not 0 <= percent <= 100:
        raise Invalid("A percentage lies between 0 and 100.", field="percent")
    before = attempt.progress
    said = {"percent": before.get("percent") if percent is None else percent, "note": note or before.get("note", "")}
    if all(before.get(name) == value for name, value in said.items()):
        return commit.submit(Change(actor, session.workspace_id, expects, verb="attempt.report", answer=said))
    now = timezone.now()
    values: dict[str, Any] = {"progress": {**said, "at": now.isoformat()}}
    highest = before.get("highest", -1)
    if percent is not None and percent > highest:
        # Of a person's attempt only what the person does counts.
        values |= {} if by_person else {"progress_at": now}
        highest = percent
    values["progress"]["highest"] = highest
    fact = ProgressReported(task_id=attempt.task_id, attempt_id=attempt.pk, percent=said["percent"], note=said["note"])
    return commit.submit(
        Change(
            actor,
            session.workspace_id,
            (*expects, *while_live(session)),
            (Update("clawgroups.Attempt", attempt.pk, values, {"state": attempt.state}),),
            (Fact(session.workspace_id, fact),),
            verb="attempt.report",
            answer=said,
        )
    )


def acknowledge(session_id: UUID, *, text: str, actor: Actor) -> Future[Outcome]:
    """Say what was understood of a hand-back; the work follows when the turn ends. Answer: {"acknowledged"}.

    The first words count, as they do when the turn's last message is the answer. Raises `Conflict` where nothing
    waits to be acknowledged.
    """
    session = live_session(session_id, actor)
    expects = require(actor, "attempt.report", session.workspace_id)
    words = clean_text(text, what="Text", limit=MAX_WORDS, required=True)
    attempt = session.attempt
    if attempt.member.user_id is not None:
        raise Conflict(
            f"{attempt.member.name} holds this task and asked you something: answer in your last message. "
            "Nothing was handed back to you, so there is nothing to acknowledge.",
            code="nothing_to_acknowledge",
        )
    if attempt.acknowledgement:
        said = {"acknowledged": attempt.acknowledgement}
        return commit.submit(Change(actor, session.workspace_id, expects, verb="attempt.acknowledge", answer=said))
    if "handback" not in attempt.brief or attempt.brief.get("acknowledged") or attempt.state != "working":
        raise Conflict("Nothing was handed back to you that waits to be acknowledged.", code="nothing_to_acknowledge")
    values = {"acknowledgement": words, "brief": {**attempt.brief, "acknowledged": True}, "start_by": None}
    return commit.submit(
        Change(
            actor,
            session.workspace_id,
            (*expects, *while_live(session)),
            (
                Update("clawgroups.Attempt", attempt.pk, values, {"state": attempt.state, "acknowledgement": ""}),
                _goes_on(session),
            ),
            (Fact(session.workspace_id, AttemptAcknowledged(task_id=attempt.task_id, attempt_id=attempt.pk)),),
            verb="attempt.acknowledge",
            answer={"acknowledged": words},
        )
    )


def _goes_on(session: Session) -> Update:
    """The task no longer waits for the acknowledgement; one that waits for a person does so still."""
    task = Task.objects.select_related("workspace", "run").get(pk=session.task_id)
    attempt = session.attempt
    waiting: dict[str, Any] = {}
    if task.blocked_on != "person":
        waiting = waits_in_hand(task, in_hand(attempt, start_by=None), attempt.member.name, timezone.now())
    return Update("clawgroups.Task", task.pk, waiting, fence(task))


def tools_used(session_id: UUID, *, actor: Actor) -> Future[Outcome]:
    """The session's key came in at `/mcp`: its agent uses the workspace's tools. Counts once."""
    now = timezone.now()
    used = Update("clawgroups.Session", session_id, {"tools_used_at": now}, {"tools_used_at": None})
    return commit.submit(Change(actor, writes=(used,), verb="session.tools_used"))
