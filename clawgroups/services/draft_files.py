"""The files of a held task's draft: what the agent brought, what its holder adds, changes and takes out.

Every change is a new revision under the same name, with whoever made it; nothing is overwritten. What is sent for a
file that has moved on, or by somebody who does not hold the task any more, is kept beside the draft (kind "kept").
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit, queries
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update
from clawgroups.core.control_events import DraftFileRemoved
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.task_events import ArtifactAdded
from clawgroups.models import Artifact, Attempt, Task
from clawgroups.permissions import get_task, require
from clawgroups.queries import newest_files
from clawgroups.services.attempts import Decision
from clawgroups.services.drafts import MOST_KEPT, refused, unsaved
from clawgroups.services.file_rows import artifact
from clawgroups.services.files import StoredFile
from clawgroups.services.hands import NOT_HOLDER, held, own_seat

DRAFT, KEPT = "draft", "kept"
MOVED = "file_moved"
MOST_FILES = 200


def of(attempt: Attempt) -> list[Artifact]:
    """The files of an attempt's draft: of each name the newest, without what was taken out."""
    return sorted(queries.draft_files(attempt), key=lambda row: row.name)


def kept_of(attempt: Attempt) -> list[Artifact]:
    """What was sent for files of this draft and is no part of it, until its writer has dealt with it."""
    return list(Artifact.objects.filter(attempt=attempt, kind=KEPT, removed_at=None).order_by("created_at", "pk"))


def revisions(row: Artifact) -> list[Artifact]:
    """Every revision of a file within its task, newest first."""
    kinds = (DRAFT, "result")
    rows = Artifact.objects.filter(task=row.task_id, name=row.name, kind__in=kinds).order_by("-created_at", "-pk")
    # What is carried from one attempt to the next is the same revision.
    return list({(one.revision, one.sha256): one for one in reversed(rows)}.values())[::-1]


def newest(attempt: Attempt, name: str) -> Artifact | None:
    """The draft's file of this name."""
    return next((row for row in of(attempt) if row.name == name), None)


def carried(task: Task, former: Attempt | None, attempt_id: UUID, now: datetime) -> Decision:
    """The files so far, taken into the draft of a person's attempt that goes on from `former`."""
    if former is None:
        return Decision()
    return Decision([_copied(row, attempt_id, DRAFT, now) for row in so_far(task, former)])


def so_far(task: Task, former: Attempt) -> list[Artifact]:
    """What a task's tries left of files: of agents the newest of each name, back to the last person's whole set."""
    found: dict[str, Artifact] = {}
    for attempt in task.attempts.filter(number__lte=former.number).select_related("member").order_by("-number"):
        by_person = attempt.member.agent_id is None
        drafted = by_person and attempt.submitted_at is None
        for row in of(attempt) if drafted else newest_files(attempt, "result"):
            found.setdefault(row.name, row)
        if by_person:
            break
    return list(found.values())


def submitted(attempt: Attempt, files: Sequence[StoredFile], actor: Actor, now: datetime) -> Decision:
    """The draft's files as results, with `files` that come along: what nobody touched keeps its author."""
    task, decision = attempt.task, Decision()
    for stored in {stored.name: stored for stored in files}.values():
        row = _next(task, attempt, stored, actor, "result")
        decision.writes.append(row)
        decision.facts.append(_added(task.workspace_id, task.run_id, attempt, row.pk, stored.name, "result"))
    newer = {stored.name for stored in files}
    for brought in of(attempt):
        if brought.name in newer:
            continue
        made = _copied(brought, attempt.pk, "result", now)
        decision.writes.append(made)
        decision.facts.append(_added(task.workspace_id, task.run_id, attempt, made.pk, brought.name, "result"))
    return decision


def _copied(row: Artifact, attempt_id: UUID, kind: str, now: datetime) -> Insert:
    columns = ("workspace_id", "run_id", "task_id", "name", "revision", "size", "sha256", "content_type", "actor")
    values = {name: getattr(row, name) for name in columns}
    return Insert(
        "clawgroups.Artifact", new_id(), {**values, "attempt_id": attempt_id, "kind": kind, "created_at": now}
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A held draft while a change of its files is decided."""

    task: Task
    attempt: Attempt
    actor: Actor

    def change(self, decision: Decision, verb: str, operation: str, answer: dict[str, Any]) -> Future[Outcome]:
        now = timezone.now()
        expects = require(self.actor, "task.hold", self.task.workspace_id)
        met = Update(
            "clawgroups.Attempt", self.attempt.pk, {"progress_at": now, "quiet_since": None}, unsaved(self.attempt)
        )
        fenced = Expect("clawgroups.Task", self.task.pk, {"epoch": self.task.epoch, "state": self.task.state})
        return commit.submit(
            Change(
                self.actor,
                self.task.workspace_id,
                (*expects, fenced),
                (met, *decision.writes),
                tuple(decision.facts),
                operation,
                verb=verb,
                answer=answer,
            )
        )


def add_files(
    task_id: UUID, *, files: Sequence[StoredFile], actor: Actor, name: str = "", operation: str = ""
) -> Future[Outcome]:
    """Put files into the draft. Answer: {"files": [{"id", "name", "revision"}]}.

    One of a name that is there is its next revision; the same bytes once more are the same file. `name`: the file
    that is replaced, whatever the one that comes is called.
    """
    task, attempt = held(task_id, actor)
    if not files:
        raise Invalid("Choose a file.", field="files", code="empty")
    if name:
        files = [replace(files[0], name=name)]
    there = {row.name: row for row in of(attempt)}
    if len(there.keys() | {stored.name for stored in files}) > MOST_FILES:
        raise Invalid(f"A draft holds at most {MOST_FILES} files. Pack them into one archive.", field="files")
    decision, said = Decision(), []
    for stored in {stored.name: stored for stored in files}.values():
        known = there.get(stored.name)
        if known is not None and known.sha256 == stored.sha256:
            said.append(_said(known.pk, known.name, known.revision))
            continue
        row = _next(task, attempt, stored, actor)
        decision.writes.append(row)
        decision.facts.append(_added(task.workspace_id, task.run_id, attempt, row.pk, stored.name, DRAFT))
        said.append(_said(row.pk, stored.name, int(row.values["revision"])))
    return _Draft(task, attempt, actor).change(decision, "draft.add_files", operation, {"files": said})


def save_file(
    task_id: UUID, *, stored: StoredFile, base: UUID | None, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Save a file of the draft that was edited from the revision `base`. Answer: {"id", "name", "revision"}.

    Raises `Conflict` "file_moved" where another one is the newest: what was sent is kept then, as it is where its
    writer does not hold the task any more.
    """
    try:
        task, attempt = held(task_id, actor)
    except Conflict as why:
        if why.code != NOT_HOLDER:
            raise
        return _keep(task_id, None, stored, actor, why)
    known = newest(attempt, stored.name)
    if known is not None and known.sha256 == stored.sha256:
        said = _said(known.pk, known.name, known.revision)
        return _Draft(task, attempt, actor).change(Decision(), "draft.save_file", operation, said)
    if base is not None and (known is None or known.pk != base):
        return _keep(task_id, attempt, stored, actor, _moved(stored.name, known))
    row = _next(task, attempt, stored, actor)
    fact = _added(task.workspace_id, task.run_id, attempt, row.pk, stored.name, DRAFT)
    said = _said(row.pk, stored.name, int(row.values["revision"]))
    return _Draft(task, attempt, actor).change(Decision([row], [fact]), "draft.save_file", operation, said)


def remove_file(task_id: UUID, artifact_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Take a file out of the draft; its bytes stay with its revisions."""
    task, attempt = held(task_id, actor)
    row = _of_draft(attempt, artifact_id)
    now = timezone.now()
    decision = Decision()
    # All of them: an earlier one shall not come back in its place.
    for one in Artifact.objects.filter(attempt=attempt, kind=DRAFT, name=row.name, removed_at=None).order_by("pk"):
        decision.writes.append(Update("clawgroups.Artifact", one.pk, {"removed_at": now}, {"removed_at": None}))
    fact = DraftFileRemoved(task_id=task.pk, attempt_id=attempt.pk, artifact_id=row.pk, name=row.name)
    decision.facts.append(Fact(task.workspace_id, fact))
    return _Draft(task, attempt, actor).change(decision, "draft.remove_file", operation, {"id": str(row.pk)})


def choose_file(task_id: UUID, kept_id: UUID, *, choice: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Deal with what was kept beside a file: "mine" makes it the newest revision, "newer" lets it go."""
    task, attempt = held(task_id, actor)
    kept = Artifact.objects.filter(pk=kept_id, attempt=attempt, kind=KEPT, removed_at=None).first()
    if kept is None:
        raise Conflict("This was chosen already.", code="settled")
    if choice not in ("mine", "newer"):
        raise Invalid("Choose one of: mine, newer.", field="choice")
    done = Update("clawgroups.Artifact", kept.pk, {"removed_at": timezone.now()}, {"removed_at": None})
    decision = Decision([done])
    if choice == "mine":
        stored = StoredFile(kept.name, kept.size, kept.sha256, kept.content_type)
        row = _next(task, attempt, stored, actor)
        decision.writes.append(row)
        decision.facts.append(_added(task.workspace_id, task.run_id, attempt, row.pk, kept.name, DRAFT))
    return _Draft(task, attempt, actor).change(decision, "draft.choose_file", operation, {"name": kept.name})


def _of_draft(attempt: Attempt, artifact_id: UUID) -> Artifact:
    """A revision of a file that is in the draft. Raises `NotFound`."""
    row = Artifact.objects.filter(pk=artifact_id, attempt=attempt, kind=DRAFT, removed_at=None).first()
    if row is None:
        raise NotFound("There is no such file in this draft.")
    return row


def _next(task: Task, attempt: Attempt, stored: StoredFile, actor: Actor, kind: str = DRAFT) -> Insert:
    """The next revision of a file, as a row."""
    earlier = Artifact.objects.filter(task=task, name=stored.name).exclude(kind__in=("input", KEPT))
    revision = (earlier.aggregate(last=Max("revision"))["last"] or 0) + 1
    ids = {"task_id": task.pk, "attempt_id": attempt.pk}
    return artifact(task.workspace_id, task.run_id, stored, kind=kind, actor=actor, revision=revision, **ids)


def _added(workspace_id: UUID, run_id: UUID, attempt: Attempt, pk: UUID, name: str, kind: str) -> Fact:
    return Fact(
        workspace_id, ArtifactAdded(artifact_id=pk, run_id=run_id, task_id=attempt.task_id, name=name, kind=kind)
    )


def _said(pk: UUID, name: str, revision: int) -> dict[str, Any]:
    return {"id": str(pk), "name": name, "revision": revision}


def _moved(name: str, known: Artifact | None) -> Conflict:
    if known is None:
        return Conflict(f"“{name}” was taken out of the draft meanwhile.", code=MOVED, newest=None)
    by = str(known.actor.get("name") or "somebody")
    return Conflict(
        f"Revision {known.revision} of “{name}” was saved meanwhile by {by}. Look at both and choose.",
        code=MOVED,
        newest=str(known.pk),
        newest_by=by,
    )


def _keep(task_id: UUID, attempt: Attempt | None, stored: StoredFile, actor: Actor, why: Conflict) -> Future[Outcome]:
    """Keep a file with its writer's last attempt; what is returned then raises `why`, which says where it is kept."""
    task = get_task(actor, task_id, "task.hold")
    attempt = attempt or task.attempts.filter(member=own_seat(actor, task)).order_by("number").last()
    if attempt is None:
        raise why
    same = Artifact.objects.filter(attempt=attempt, name=stored.name, sha256=stored.sha256, removed_at=None).first()
    if same is not None:
        raise Conflict(why.message, code=why.code, **{**why.fields, "kept_as": str(same.pk)})
    row = _next(task, attempt, stored, actor, KEPT)
    over = kept_of(attempt)[: -MOST_KEPT + 1]
    gone = [Update("clawgroups.Artifact", one.pk, {"removed_at": timezone.now()}) for one in over]
    told = Conflict(
        f"{why.message} What you sent is kept beside it.", code=why.code, **{**why.fields, "kept_as": str(row.pk)}
    )
    expects = require(actor, "task.hold", task.workspace_id)
    return refused(commit.submit(Change(actor, task.workspace_id, expects, (row, *gone), verb="draft.keep_file")), told)
