"""Files as people look for them: by name, with their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, IntegerField, Max, Min, Q, QuerySet, Sum, Value, When, Window
from django.db.models.functions import RowNumber

from clawgroups.models import Artifact

# What is in somebody's hands is shown at its task.
HIDDEN = ("draft", "kept")
RANKS = {"deliverable": 0, "result": 1, "input": 2}
ORDERS = ("first", "new", "name", "size")
MOST_VERSIONS = 100


@dataclass(frozen=True, slots=True)
class File:
    """A file of a run, or of one of its tasks: its versions, the newest first, and the one that stands for it.

    Two tasks that deliver a file of the same name deliver two files.
    """

    versions: Sequence[Artifact]

    @property
    def shown(self) -> Artifact:
        """The final one, or else the newest of the kind that counts most."""
        return min(self.versions, key=lambda one: (one.pinned_at is None, RANKS.get(one.kind, 3)))

    @property
    def others(self) -> list[Artifact]:
        """The other versions; a deliverable is the version that its task delivered, not another one."""
        shown = self.shown
        same = (shown.revision, shown.sha256)
        return [one for one in self.versions if one.pk != shown.pk and (one.revision, one.sha256) != same]


def visible(where: Q) -> QuerySet[Artifact]:
    """What a run or workspace holds."""
    return Artifact.objects.filter(where, removed_at=None).exclude(kind__in=HIDDEN)


# Which of a file's versions stands for it (`File.shown`), as the database counts it.
_RANK = Case(*(When(kind=kind, then=Value(n)) for kind, n in RANKS.items()), default=Value(3))
_FINAL = Case(When(pinned_at__isnull=False, then=Value(1)), default=Value(0), output_field=IntegerField())


def named(where: Q, order: str = "first") -> QuerySet[Any, Any]:
    """The files of a run or workspace, one row for all revisions of a name within a task, in this order."""
    rows = visible(where).order_by().values("run_id", "task_id", "name")
    rows = rows.annotate(
        final=Max(_FINAL), rank=Min(_RANK), newest=Max("created_at"), largest=Max("size"), number=Count("pk")
    )
    orders: dict[str, tuple[Any, ...]] = {
        "first": (F("final").desc(), "rank", F("newest").desc()),
        "new": (F("newest").desc(),),
        "name": (),
        "size": (F("largest").desc(),),
    }
    return rows.order_by(*orders.get(order, orders["first"]), "name", "run_id", "task_id")


def files_of(groups: Sequence[dict[str, Any]], where: Q, most: int = MOST_VERSIONS) -> list[File]:
    """These files with their versions, in one query; of each at most so many, and always the one that stands for it."""
    if not groups:
        return []
    wanted = Q()
    for run_id in {group["run_id"] for group in groups}:
        wanted |= Q(run=run_id, name__in=[group["name"] for group in groups if group["run_id"] == run_id])
    found: dict[tuple[UUID, UUID | None, str], list[Artifact]] = {}
    for row in _first(visible(where & wanted), most).select_related("task", "run"):
        found.setdefault((row.run_id, row.task_id, row.name), []).append(row)
    keys = [(group["run_id"], group["task_id"], group["name"]) for group in groups]
    return [File(found[key]) for key in keys if key in found]


def _first(rows: QuerySet[Artifact], most: int) -> QuerySet[Artifact]:
    """Of each name at most so many versions, what counts most before others; the newest of these first."""
    order = (_FINAL.desc(), _RANK.asc(), F("created_at").desc(), F("pk").desc())
    place = Window(RowNumber(), partition_by=(F("run"), F("task"), F("name")), order_by=order)
    return rows.annotate(place=place).filter(place__lte=most).order_by("-created_at", "-id")


def versions_of(row: Artifact) -> list[Artifact]:
    """All revisions of a file, the newest first; of a draft those of the drafts."""
    if row.kind in HIDDEN:
        drafts = Artifact.objects.filter(task=row.task_id, name=row.name, kind=row.kind)
        return list(drafts.select_related("task").order_by("-created_at", "-id")[:MOST_VERSIONS])
    return list(
        _first(visible(Q(run=row.run_id, task=row.task_id, name=row.name)), MOST_VERSIONS).select_related("task")
    )


def finals_first(files: Sequence[Artifact]) -> list[Artifact]:
    """Final ones before others, each as they came."""
    return sorted(files, key=lambda one: one.pinned_at is None)


def sums(where: Q) -> tuple[int, int]:
    """How many revisions of files a run or workspace holds, and their bytes."""
    said = visible(where).order_by().aggregate(number=Count("pk"), size=Sum("size"))
    return said["number"], said["size"] or 0
