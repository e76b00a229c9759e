"""Verbs on files that agents deliver, and what a session's work folder holds."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Fact, Outcome, Update, one_of
from clawgroups.core.errors import NotFound
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.core.task_events import ArtifactAdded
from clawgroups.models import Artifact, Attempt, Session, Task
from clawgroups.permissions import require
from clawgroups.queries import draft_files
from clawgroups.services.briefs import task_inputs
from clawgroups.services.drafts import nudged, unsaved
from clawgroups.services.file_rows import artifact
from clawgroups.services.files import StoredFile
from clawgroups.services.handed import full_text
from clawgroups.services.hands import on_behalf
from clawgroups.services.late import stale
from clawgroups.services.texts import newest

DRAFT = "draft.md"


@dataclass(frozen=True, slots=True)
class WorkFile:
    """A file of a session's work folder: in the store, or (a draft) text that stands in a row."""

    name: str
    sha256: str
    size: int
    content_type: str
    text: bytes | None = None


def session_of(session_id: UUID, actor: Actor) -> Session:
    """The session, for its agent while that sits in the workspace. Raises `NotFound`."""
    session = Session.objects.select_related("attempt__task", "attempt__member").filter(pk=session_id).first()
    if session is None or session.agent_id != actor.agent_id:
        raise NotFound("There is no such session, or it is not yours.")
    require(actor, "task.view", session.workspace_id)
    return session


def open_session_of(session_id: UUID, actor: Actor) -> Session:
    """The session, while it is given anything. Raises `StaleAttempt` for one that was given up."""
    session = session_of(session_id, actor)
    if session.state == "closed":
        raise stale(session.attempt.task, "This session was given up; there is nothing to read for it any more.")
    return session


def _got_on(attempt: Attempt) -> list[Update]:
    """Whoever takes the task over at this moment decides again, and takes the file along.

    In a person's attempt no clock moves by it: only what that person does is progress.
    """
    if attempt.member.user_id is None:
        return [Update("clawgroups.Attempt", attempt.pk, {"progress_at": timezone.now()})]
    return [Update("clawgroups.Attempt", attempt.pk, nudged(attempt), unsaved(attempt))]


def work_file(session: Session, name: str) -> WorkFile | None:
    """One file of `work_files`; a folder of a thousand is not read for it."""
    return next((file for file in work_files(session, name) if file.name == name), None)


def work_files(session: Session, name: str = "") -> list[WorkFile]:
    """What the work folder starts from: inputs, results of parents, what earlier tries left (in `before/`), what this
    try delivered already, a person's draft. With `name` only what may stand under it, and some others."""
    task = session.attempt.task
    inputs = task_inputs(task, name)
    files = {f.name: WorkFile(f.name, f.artifact.sha256, f.artifact.size, f.artifact.content_type) for f in inputs}
    # What came late is evidence beside the task, never an input.
    for row in Artifact.objects.filter(attempt=session.attempt, kind="result").order_by("created_at"):
        files[row.name] = WorkFile(row.name, row.sha256, row.size, row.content_type)
    if session.attempt.member.user_id is not None:
        # A person holds it: their draft as it stands, with its files.
        for row in draft_files(session.attempt):
            files[row.name] = WorkFile(row.name, row.sha256, row.size, row.content_type)
        stands = newest(session.attempt)
        draft = stands.text if stands is not None else ""
    else:
        draft = full_text(session.attempt.brief)
    if draft:
        text = draft.encode()
        files[DRAFT] = WorkFile(DRAFT, hashlib.sha256(text).hexdigest(), len(text), "text/markdown", text)
    return list(files.values())


def deliver_file(session_id: UUID, *, stored: StoredFile, actor: Actor) -> Future[Outcome]:
    """Take a file that an agent made. Answer: {"id", "name", "sha256", "size", "kind", "current_epoch"}.

    While the attempt is live and its epoch the task's, it is a result, or where a person holds the task and asked for
    it a file of their draft; after that it is kept as late, which changes nothing. The same bytes once more under the
    same name are the same file. Raises `NotFound` for a foreign session.
    """
    session = session_of(session_id, actor)
    attempt, task = session.attempt, session.attempt.task
    expects = require(actor, "task.view", session.workspace_id)
    actor, result = on_behalf(actor, attempt), "result" if attempt.member.user_id is None else "draft"
    earlier = Artifact.objects.filter(task=task, name=stored.name).exclude(kind="input")
    known = earlier.filter(attempt=attempt, removed_at=None).order_by("created_at", "pk").last()
    if known is not None and known.sha256 == stored.sha256:
        said = _said(known, task)
        return commit.submit(Change(actor, session.workspace_id, expects, verb="artifact.deliver", answer=said))
    live = attempt.state in ATTEMPT_LIVE and task.epoch == attempt.epoch
    row = artifact(
        session.workspace_id,
        task.run_id,
        stored,
        kind=result if live else "late",
        actor=actor,
        task_id=task.pk,
        attempt_id=attempt.pk,
        revision=earlier.count() + 1,
    )
    kind = str(row.values["kind"])
    fact = ArtifactAdded(artifact_id=row.pk, run_id=task.run_id, task_id=task.pk, name=stored.name, kind=kind)
    return commit.submit(
        Change(
            actor,
            session.workspace_id,
            (*expects, *(while_live(session) if live else ())),
            (row, *(_got_on(attempt) if live else ())),
            (Fact(session.workspace_id, fact),),
            verb="artifact.deliver",
            answer={
                "id": str(row.pk),
                "name": stored.name,
                "sha256": stored.sha256,
                "size": stored.size,
                "kind": kind,
                "current_epoch": task.epoch,
            },
        )
    )


def live_session(session_id: UUID, actor: Actor) -> Session:
    """The session, while its attempt may write. Raises `StaleAttempt` with the present epoch once that is over."""
    session = session_of(session_id, actor)
    attempt, task = session.attempt, session.attempt.task
    if session.state == "closed" or attempt.state not in ATTEMPT_LIVE or task.epoch != attempt.epoch:
        raise stale(task, f"This attempt is over: the task is at epoch {task.epoch} now. Stop working on it.")
    return session


def while_live(session: Session) -> tuple[Expect, ...]:
    """What a write of a live session expects: the commit point of a takeover lies before or after it, never in it."""
    attempt = session.attempt
    return (
        Expect("clawgroups.Task", attempt.task_id, {"epoch": attempt.epoch}),
        Expect("clawgroups.Attempt", attempt.pk, {"state": one_of(*(state.value for state in ATTEMPT_LIVE))}),
        Expect("clawgroups.Session", session.pk, {"attempt_id": attempt.pk}),
    )


def _said(row: Artifact, task: Task) -> dict[str, object]:
    said = {"id": str(row.pk), "name": row.name, "sha256": row.sha256, "size": row.size, "kind": row.kind}
    return {**said, "current_epoch": task.epoch}
