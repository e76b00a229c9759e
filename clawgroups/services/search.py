"""What of a workspace has these words in it: messages, tasks, files by their names, runs. Newest first.

Each kind is read up to one more than is shown: nothing is counted, so that a large workspace answers as fast as a
small one where there is much to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from clawgroups.core.excerpts import spellings, words_of
from clawgroups.core.lifecycle import TaskState
from clawgroups.models import Artifact, Message, MessageFile, Run, Task

KINDS = ("messages", "tasks", "files", "runs")
FEW = 6
MANY = 30
LAST_PAGE = 100
IN_HAND = (TaskState.ASSIGNED, TaskState.WORKING, TaskState.HELD, TaskState.IN_REVIEW, TaskState.STUCK)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file by its name: of a run, or one that came with a message."""

    name: str
    size: int
    at: datetime
    by: str
    url: str
    artifact: Artifact | None = None
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One kind of what was found: a few, or a page of many, and whether there is more."""

    kind: str
    rows: Sequence[Any]
    more: bool
    page: int = 1


@dataclass(frozen=True, slots=True)
class Search:
    """What was looked for, and what there is."""

    words: tuple[str, ...]
    groups: tuple[Found, ...]

    @property
    def nothing(self) -> bool:
        return not any(group.rows for group in self.groups)


def search_in(workspace_id: UUID, query: str, *, kind: str = "", page: int = 1) -> Search:
    """Everything that has all the words: a few of each kind, or a page of one kind."""
    words = words_of(query)
    if not words:
        return Search(words, ())
    if kind in KINDS:
        return Search(words, (_found(kind, workspace_id, words, min(max(page, 1), LAST_PAGE), MANY),))
    return Search(words, tuple(_found(one, workspace_id, words, 1, FEW) for one in KINDS))


def _found(kind: str, workspace_id: UUID, words: tuple[str, ...], page: int, size: int) -> Found:
    start = (page - 1) * size
    wanted = slice(start, start + size + 1)
    rows = list(_LOOKS[kind](workspace_id, words, wanted))
    return Found(kind, rows[:size], len(rows) > size and page < LAST_PAGE, page)


def _with(words: tuple[str, ...], *columns: str) -> Q:
    """Every word in one of the columns."""
    each = (
        reduce(or_, (Q(**{f"{column}__icontains": one}) for column in columns for one in spellings(word)))
        for word in words
    )
    return reduce(and_, each)


def _messages(workspace_id: UUID, words: tuple[str, ...], wanted: slice) -> QuerySet[Message]:
    here = Message.objects.filter(workspace=workspace_id, removed_at=None)
    return here.filter(_with(words, "body")).select_related("task").order_by("-created_at", "-id")[wanted]


def _tasks(workspace_id: UUID, words: tuple[str, ...], wanted: slice) -> QuerySet[Task]:
    said = _with(words, "title", "instructions", "attempt__result")
    here = Task.objects.filter(workspace=workspace_id)
    return here.filter(said).select_related("attempt", "run").order_by("-created_at", "position")[wanted]


def _runs(workspace_id: UUID, words: tuple[str, ...], wanted: slice) -> QuerySet[Run]:
    here = Run.objects.filter(workspace=workspace_id)
    return here.filter(_with(words, "goal")).order_by("-created_at", "-id")[wanted]


def _files(workspace_id: UUID, words: tuple[str, ...], wanted: slice) -> list[FoundFile]:
    """Of both kinds as many as could be on the page, then the newest of all."""
    made = Artifact.objects.filter(workspace=workspace_id, removed_at=None).exclude(kind="kept")
    sent = MessageFile.objects.filter(workspace=workspace_id)
    artifacts = made.filter(_with(words, "name")).select_related("task", "run").order_by("-created_at", "-id")
    files = sent.filter(_with(words, "name")).select_related("message").order_by("-id")
    found = [_artifact(row) for row in artifacts[: wanted.stop]] + [_sent(row) for row in files[: wanted.stop]]
    return sorted(found, key=lambda one: one.at, reverse=True)[wanted]


def _artifact(row: Artifact) -> FoundFile:
    url = f"/api/v1/artifacts/{row.pk}/content"
    return FoundFile(row.name, row.size, row.created_at, str(row.actor.get("name", "")), url, artifact=row)


def _sent(row: MessageFile) -> FoundFile:
    said = row.message
    url = f"/api/v1/message-files/{row.pk}/content"
    return FoundFile(row.name, row.size, said.created_at, str(said.actor.get("name", "")), url, message=said)


_LOOKS: dict[str, Any] = {"messages": _messages, "tasks": _tasks, "files": _files, "runs": _runs}


def threads_of(workspace_id: UUID) -> QuerySet[Task]:
    """The tasks that are spoken about or in hand, those with the newest line first.

    Each with `lines` (how many), `newest_at` and `newest` (the key of the newest line).
    """
    said = Message.objects.filter(task=OuterRef("pk"), removed_at=None).order_by("-created_at", "-id")
    number = said.order_by().values("task").annotate(number=Count("pk")).values("number")
    return (
        Task.objects.filter(workspace=workspace_id)
        .filter(Exists(said) | Q(state__in=IN_HAND))
        .annotate(
            lines=Coalesce(Subquery(number), 0),
            newest_at=Subquery(said.values("created_at")[:1]),
            newest=Subquery(said.values("pk")[:1]),
        )
        .select_related("assignee", "holder", "run")
        .order_by(F("newest_at").desc(nulls_last=True), "-created_at", "position")
    )
