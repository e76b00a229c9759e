"""A workspace as one archive: asked for in a row, made by the worker, downloaded by whoever may.

Making it is a lease: a process that dies is followed by another one, three times at most.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.audit import Audit
from clawgroups.core.changes import Change, Insert, Outcome, Update
from clawgroups.core.errors import Conflict, NotFound
from clawgroups.models import Export, Workspace
from clawgroups.services import workspace_archive
from clawgroups.services.deadlines import database_now
from clawgroups.services.installation import require_operator

log = logging.getLogger(__name__)

MODEL = "clawgroups.Export"
LEASE = timedelta(minutes=2)
RENEWED = 30.0  # seconds between two renewals of it
TRIES = 3
MOST_OPEN = 5
OPEN = ("waiting", "making")


def export_workspace(workspace_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have a workspace made into an archive. Answer: {"id"}. Raises `Conflict` where that is under way."""
    expects = require_operator(actor)
    room = Workspace.objects.filter(pk=workspace_id).first()
    if room is None:
        raise NotFound("There is no such workspace.")
    rows = Export.objects.filter(state__in=OPEN)
    if rows.filter(workspace=room).exists():
        raise Conflict("An archive of this workspace is being made already.", code="under_way")
    if rows.count() >= MOST_OPEN:
        raise Conflict(f"{MOST_OPEN} archives are being made. Wait for one of them.", code="too_many")
    pk = new_id()
    values = {"workspace_id": room.pk, "asked_by_id": actor.user_id, "asked_at": database_now()}
    audit = Audit("export.asked", {"export": str(pk), "workspace": str(room.pk), "name": room.name})
    return commit.submit(
        Change(
            actor,
            expects=expects,
            writes=(Insert(MODEL, pk, values),),
            operation=operation,
            verb="export.ask",
            answer={"id": str(pk)},
            audits=(audit,),
        )
    )


def make_again(export_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Try to make an archive once more. Raises `Conflict` for one that has not failed."""
    expects = require_operator(actor)
    row = get_export(export_id)
    if row.state != "failed":
        raise Conflict("This archive has not failed.")
    write = Update(MODEL, row.pk, {"state": "waiting", "said": "", "tries": 0}, {"state": "failed"})
    audit = Audit("export.again", {"export": str(row.pk), "workspace": str(row.workspace_id)})
    return commit.submit(
        Change(actor, expects=expects, writes=(write,), operation=operation, verb="export.again", audits=(audit,))
    )


def get_export(export_id: UUID) -> Export:
    """The row. Raises `NotFound`."""
    row = Export.objects.select_related("workspace").filter(pk=export_id).first()
    if row is None:
        raise NotFound("There is no such archive.")
    return row


def taken(export_id: UUID, *, actor: Actor) -> tuple[Export, Path]:
    """The archive for whoever downloads it, who is put down. Raises `NotFound`, `Forbidden`, `Conflict`."""
    expects = require_operator(actor)
    row, path = get_export(export_id), path_of(export_id)
    if row.state != "ready" or not path.exists():
        raise Conflict("This archive is not there: it is not made yet, or was deleted.", code="not_ready")
    audit = Audit("export.downloaded", {"export": str(row.pk), "workspace": str(row.workspace_id)})
    commit.wait(commit.submit(Change(actor, expects=expects, verb="export.download", audits=(audit,))))
    return row, path


def path_of(export_id: UUID) -> Path:
    """Where an archive lies."""
    return Path(settings.DATA_DIR) / "exports" / f"{export_id}.zip"


def due(now: datetime) -> QuerySet[Export]:
    """The archives that wait, and those whose process has died."""
    lapsed = Q(state="making", until__lt=now)
    return Export.objects.select_related("workspace").filter(Q(state="waiting") | lapsed).order_by("asked_at")


def make_due(now: datetime) -> int:
    """Make the archives that wait, one after another: how many were made. Of two processes one makes each."""
    made = 0
    for row in list(due(now)):
        if row.tries >= TRIES:
            _move(row, {"state": "failed", "ended_at": now, "said": "It was begun three times and never ended."})
        elif _move(row, {"state": "making", "until": now + LEASE, "tries": row.tries + 1}):
            made += _make(get_export(row.pk))
    return made


def forget(keys: Iterable[UUID]) -> None:
    """Delete the bytes of these archives; the rows say that they were there."""
    for pk in keys:
        path_of(pk).unlink(missing_ok=True)
        _move(get_export(pk), {"state": "gone"})


def _make(row: Export) -> bool:
    path = path_of(row.pk)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    try:
        made = workspace_archive.write(row.workspace, partial, going_on=_Renewal(row))
        partial.replace(path)
    except Exception as fault:
        # Whatever it was, its reason is told where it is asked for, and the next one is made.
        log.exception("the archive of workspace %s was not made", row.workspace_id)
        partial.unlink(missing_ok=True)
        _move(row, {"state": "failed", "ended_at": database_now(), "said": f"{type(fault).__name__}: {fault}"[:300]})
        return False
    values = {"size": made.size, "sha256": made.sha256, "entries": made.entries}
    return _move(row, {"state": "ready", "ended_at": database_now(), "said": "", **values})


class _Renewal:
    """Holds on to the row while its archive is made."""

    def __init__(self, row: Export) -> None:
        self._row, self._at = row, time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._at < RENEWED:
            return
        self._at = time.monotonic()
        if not _move(self._row, {"until": database_now() + LEASE}):
            raise Conflict("Another process makes this archive now.")


def _move(row: Export, values: dict[str, object]) -> bool:
    """Whether the row was still as it was read, and is like this now."""
    write = Update(MODEL, row.pk, values, {"state": row.state, "tries": row.tries})
    return commit.wait(commit.submit(Change(SYSTEM, writes=(write,), verb="export.move"))).applied
