"""What a hand-back passes on: the person's version of text and files, held against what the agent had last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.ids import new_id
from clawgroups.core.changes import Fact, Insert
from clawgroups.core.task_events import ArtifactAdded
from clawgroups.models import Artifact, Attempt, Draft, Task
from clawgroups.queries import draft_files, newest_files
from clawgroups.services.attempts import Decision


def source_of(brief: dict[str, Any]) -> UUID | None:
    """The attempt whose version a brief hands on; None where nobody handed anything on."""
    found = brief.get("handback", {}).get("attempt")
    return UUID(found) if found else None


def replaced_by(brief: dict[str, Any]) -> Callable[[Artifact], bool] | None:
    """Whether a file of an earlier try gave way to the version that was handed on; None where none was.

    A person's draft begins with all that earlier tries left: what is not in it they took out.
    """
    source = source_of(brief)
    ended = Attempt.objects.filter(pk=source).values_list("ended_at", flat=True).first() if source else None
    return None if ended is None else lambda row: row.created_at <= ended


def full_text(brief: dict[str, Any]) -> str:
    """The whole draft that was handed on; the brief itself holds no more of it than a prompt may."""
    source = source_of(brief)
    newest = Draft.objects.filter(attempt=source, kind="own").last() if source else None
    return newest.text if newest is not None else str(brief.get("handback", {}).get("draft", ""))


def carried_on(task: Task, attempt: Attempt, now: datetime) -> Decision:
    """The person's files that an agent left as they are, as files of its result: they go on with it."""
    decision, source = Decision(), source_of(attempt.brief)
    if source is None:
        return decision
    delivered = {row.name for row in newest_files(attempt, "result")}
    for row in draft_files(source):
        if row.name in delivered:
            continue
        pk = new_id()
        revision = 1 + Artifact.objects.filter(task=task, name=row.name).exclude(kind="input").count()
        columns = ("workspace_id", "run_id", "task_id", "name", "size", "sha256", "content_type", "actor")
        values = {column: getattr(row, column) for column in columns}
        values |= {"attempt_id": attempt.pk, "kind": "result", "revision": revision, "created_at": now}
        decision.writes.append(Insert("clawgroups.Artifact", pk, values))
        added = ArtifactAdded(artifact_id=pk, run_id=task.run_id, task_id=task.pk, name=row.name, kind="result")
        decision.facts.append(Fact(task.workspace_id, added))
    return decision
