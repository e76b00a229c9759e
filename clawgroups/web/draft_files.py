"""The files of a draft: added, edited as a table or as text, taken out."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.actors import Actor
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.text_merge import diff
from clawgroups.models import Artifact, Task
from clawgroups.services import draft_files, file_edit
from clawgroups.services.file_edit import Opened
from clawgroups.services.files import StoredFile
from clawgroups.services.perform import perform
from clawgroups.web.forms import take_in
from clawgroups.web.http import Viewer, actor_of, operation_of, page, see
from clawgroups.web.task_doors import changed, task_of
from clawgroups.wording import say

_CELL = re.compile(r"c-(\d{1,4})-(\d{1,4})", re.ASCII)


@require_POST
def add_draft_files(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Put files into the draft; `name`: the one that is replaced."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    files, name = take_in(request), request.POST.get("name", "")
    perform(draft_files.add_files, task_id, files=files, name=name, actor=actor, operation=operation_of(request))
    if name:
        return see(reverse("task", args=[workspace_id, task_id]))
    return changed(request, workspace_id, task_id)


@require_POST
def remove_draft_file(request: HttpRequest, workspace_id: UUID, task_id: UUID, artifact_id: UUID) -> HttpResponse:
    """Take a file out of the draft."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    perform(draft_files.remove_file, task_id, artifact_id, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_safe
def draft_file(request: HttpRequest, workspace_id: UUID, task_id: UUID, artifact_id: UUID) -> HttpResponse:
    """A file of the draft in its editor, with its revisions."""
    actor = actor_of(request)
    task = task_of(actor, workspace_id, task_id, "task.view")
    return _page(request, actor, task, _row(task, artifact_id))


@require_POST
def save_draft_file(request: HttpRequest, workspace_id: UUID, task_id: UUID, artifact_id: UUID) -> HttpResponse:
    """Save a file as it was edited, as its next revision."""
    actor = actor_of(request)
    task = task_of(actor, workspace_id, task_id, "task.hold")
    row = _row(task, artifact_id)
    do = request.POST.get("do", "")
    try:
        stored = _edited(request, row, do)
    except Invalid as wrong:
        return _page(request, actor, task, row, error=say(wrong.message), typed=request.POST.get("text"), status=422)
    try:
        said = perform(draft_files.save_file, task_id, stored=stored, base=row.pk, actor=actor).answer
    except Conflict as why:
        if why.code != draft_files.MOVED:
            raise
        return _page(request, actor, task, row, error=say(why.message), status=why.status)
    here = reverse("draft-file", args=[workspace_id, task_id, said["id"]])
    if do:
        return see(f"{here}#cell-{_beside(do)}")
    return see(here if request.POST.get("stay") else f"{reverse('task', args=[workspace_id, task_id])}#files-of-draft")


@require_POST
def choose_draft_file(request: HttpRequest, workspace_id: UUID, task_id: UUID, artifact_id: UUID) -> HttpResponse:
    """Say which of two revisions counts."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    choice = request.POST.get("choice", "")
    perform(draft_files.choose_file, task_id, artifact_id, choice=choice, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


def _row(task: Task, artifact_id: UUID) -> Artifact:
    kinds = (draft_files.DRAFT, draft_files.KEPT, "result")
    row = Artifact.objects.select_related("attempt").filter(pk=artifact_id, task=task, kind__in=kinds).first()
    if row is None:
        raise NotFound("There is no such file in this draft.")
    return row


def _edited(request: HttpRequest, row: Artifact, do: str) -> StoredFile:
    if "text" in request.POST:
        return file_edit.edited_text(row, request.POST["text"])
    cells = {}
    for name, value in request.POST.items():
        if place := _CELL.fullmatch(name):
            cells[int(place[1]), int(place[2])] = str(value).replace("\r\n", "\n")
    return file_edit.edited_table(row, cells, do)


def _beside(do: str) -> str:
    """The cell that one goes on with after a row or column was added or taken out."""
    verb, _, at = do.partition(":")
    return f"{at}-0" if verb.endswith("row") else f"0-{at}"


def _page(
    request: HttpRequest,
    actor: Actor,
    task: Task,
    row: Artifact,
    *,
    error: str = "",
    typed: str | None = None,
    status: int = 200,
) -> HttpResponse:
    seat = Viewer(actor, task.workspace_id).seat
    holds = seat is not None and task.holder_id == seat.pk
    newest = draft_files.newest(task.attempt, row.name) if task.attempt is not None else None
    opened = file_edit.opened(row)
    as_text = request.GET.get("as") == "text" or opened.table is None
    context: dict[str, Any] = {
        "task": task,
        "file": row,
        "opened": opened,
        "grid": None if as_text else _grid(opened),
        "as_text": as_text,
        "text": opened.shown if typed is None else typed,
        "newest": newest,
        "is_newest": newest is not None and newest.pk == row.pk,
        "may_edit": holds and newest is not None and newest.pk == row.pk and opened.editable,
        "holds": holds,
        "beside": _beside_of(task, row) if holds else None,
        "revisions": draft_files.revisions(row),
        "error": error,
    }
    return page(request, "tasks/draft_file.html", context, status=status)


def _grid(opened: Opened) -> list[list[tuple[int, str, bool]]] | None:
    """The cells of a table, all rows of one width: place, value, and whether it needs more than one line."""
    if opened.table is None:
        return None
    width = max(opened.table.width, 1)
    return [
        [
            (n, row.cells[n].value, "\n" in row.cells[n].value or "\r" in row.cells[n].value)
            if n < len(row.cells)
            else (n, "", False)
            for n in range(width)
        ]
        for row in opened.table.rows
    ]


def _beside_of(task: Task, row: Artifact) -> dict[str, Any] | None:
    """What was kept beside a file of this name, with the difference where both are text."""
    kept = [one for one in draft_files.kept_of(task.attempt) if one.name == row.name] if task.attempt else []
    newest = draft_files.newest(task.attempt, row.name) if task.attempt else None
    if not kept:
        return None
    lines = []
    if newest is not None:
        mine, other = file_edit.opened(kept[-1]), file_edit.opened(newest)
        lines = diff(other.shown, mine.shown) if mine.editable and other.editable else []
    return {"file": kept[-1], "newest": newest, "lines": lines}
