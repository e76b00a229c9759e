"""Pages of files: all of a workspace or a run, and each with its versions, its content, and what changed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.changes import Outcome
from clawgroups.core.errors import NotFound
from clawgroups.fragments.files import ORDERS, File, files_of, named, sums, versions_of, visible
from clawgroups.models import Artifact, Run, Task, Workspace
from clawgroups.permissions import get_workspace
from clawgroups.services import pinning
from clawgroups.services.perform import perform
from clawgroups.services.pinning import PINNABLE
from clawgroups.services.previews import Preview, compared, looked_at, preview
from clawgroups.web.file_rows import file_of
from clawgroups.web.http import Viewer, actor_of, is_htmx, operation_of, page, paged, sent_to, typed
from clawgroups.web.isolated import origin_apart, view_of
from clawgroups.web.plans import run_of
from clawgroups.web.workspaces import follows

KINDS = ("deliverable", "result", "input", "late")
PAGE = 40
MOST_TASKS = 500
MOST_FRAMED = 32 * 1024 * 1024
FRAMED = frozenset({"html", "svg", "pdf", "site"})


@require_safe
def file_list(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """All files of a workspace."""
    found = get_workspace(actor_of(request), workspace_id, "artifact.view")
    return _list(request, found, None)


@require_safe
def run_files(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """All files of a run."""
    run = run_of(actor_of(request), workspace_id, run_id, "artifact.view")
    return _list(request, run.workspace, run)


def _list(request: HttpRequest, workspace: Workspace, run: Run | None) -> HttpResponse:
    followed = follows([workspace])
    here = Q(workspace=workspace) if run is None else Q(run=run)
    asked = {name: typed(request, name, 200) for name in ("kind", "task", "q", "sort")}
    where = here & _wanted(asked)
    shown = paged(request, named(where, asked["sort"] or "first"), PAGE)
    files = files_of(list(shown.object_list), where)
    context = {
        "workspace": workspace,
        "run": run,
        "files": files,
        "page": shown,
        "asked": asked,
        "filtered": any(asked[name] for name in ("kind", "task", "q")),
        "kinds": KINDS,
        "orders": ORDERS,
        "tasks": _tasks(run),
        "count": sums(Q(run=run)) if run is not None else None,
        "delivered": run is not None and visible(Q(run=run, kind="deliverable")).exists(),
        "query": urlencode({name: value for name, value in asked.items() if value}),
        "follows": followed,
        "path": request.get_full_path(),
        "viewer": Viewer(actor_of(request), workspace.pk),
    }
    if is_htmx(request):
        return render(request, "files/_list.html", context)
    return page(request, "files/list.html", context)


def _wanted(asked: dict[str, str]) -> Q:
    wanted = Q()
    if asked["kind"] == "final":
        wanted &= Q(pinned_at__isnull=False)
    elif asked["kind"] in KINDS:
        wanted &= Q(kind=asked["kind"])
    if asked["q"]:
        wanted &= Q(name__icontains=asked["q"])
    if asked["task"]:
        try:
            wanted &= Q(task=UUID(asked["task"]))
        except ValueError:
            wanted &= Q(pk__in=[])
    return wanted


def _tasks(run: Run | None) -> list[Task]:
    """The tasks of a run that have files, to choose from."""
    if run is None:
        return []
    ids = visible(Q(run=run, task__isnull=False)).order_by().values_list("task", flat=True).distinct()
    return list(Task.objects.filter(pk__in=ids).only("pk", "title").order_by("position")[:MOST_TASKS])


@require_safe
def file(request: HttpRequest, workspace_id: UUID, artifact_id: UUID) -> HttpResponse:
    """A revision of a file: what is in it, where it comes from, the others; `with`: what changed since another."""
    actor = actor_of(request)
    row = file_of(actor, workspace_id, artifact_id, "artifact.view")
    workspace = row.run.workspace
    followed = follows([workspace])
    versions = versions_of(row)
    context: dict[str, Any] = {
        "file": row,
        "workspace": workspace,
        "run": row.run,
        "versions": versions,
        "standing": File(versions).shown if versions else row,
        "earlier": _earlier(row, versions),
        "is_pinnable": row.kind in PINNABLE and row.removed_at is None,
        "follows": followed,
        "path": request.get_full_path(),
        "viewer": Viewer(actor, workspace_id),
    }
    if is_htmx(request):
        return render(request, "files/_about.html", context)
    if "with" in request.GET:
        return _compared(request, row, versions, context)
    shown = preview(row, sheet=_number(request.GET.get("sheet")))
    frame, allowed = _frame(request, row, shown)
    context |= {"shown": shown, "frame": frame, "as_text": request.GET.get("as") == "text", "framed": bool(frame)}
    response = page(request, "files/file.html", context)
    if frame and not context["as_text"]:
        response._csp_update = {"frame-src": [allowed]}  # type: ignore[attr-defined]
    elif shown.kind in ("audio", "video"):
        here = request.build_absolute_uri(reverse("file-content", args=[workspace_id, row.pk]))
        response._csp_update = {"media-src": [here]}  # type: ignore[attr-defined]
    return response


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 4 else 0


def _earlier(row: Artifact, versions: list[Artifact]) -> Artifact | None:
    """The revision before this one that says something else."""
    before = versions[[one.pk for one in versions].index(row.pk) + 1 :] if row in versions else []
    return next((one for one in before if one.sha256 != row.sha256), None)


def _frame(request: HttpRequest, row: Artifact, shown: Preview) -> tuple[str, str]:
    """The address of what is shown in a frame, and what the page allows it; empty where it is shown otherwise."""
    if shown.kind not in FRAMED or (row.size > MOST_FRAMED and shown.kind != "pdf"):
        return "", ""
    if shown.kind == "pdf" and not origin_apart(request):
        return "", ""
    inside = shown.listing.site if shown.listing is not None else ""
    address, start = view_of(request, actor_of(request), row, inside)
    return address, start


def _compared(request: HttpRequest, row: Artifact, versions: list[Artifact], context: dict[str, Any]) -> HttpResponse:
    try:
        other = file_of(actor_of(request), row.workspace_id, UUID(request.GET["with"]), "artifact.view")
    except ValueError:
        raise NotFound("There is no such file in this workspace.") from None
    before, after = sorted((other, row), key=lambda one: (one.created_at, one.pk))
    found = compared(before, after)
    looks = [looked_at(before), looked_at(after)]
    context |= {
        "before": before,
        "after": after,
        "compared": found,
        "images": all(one.kind == "image" for one in looks) and not found.same,
    }
    return page(request, "files/compared.html", context)


@require_POST
def pin_artifact(request: HttpRequest, workspace_id: UUID, artifact_id: UUID) -> HttpResponse:
    """Make a revision the final one."""
    return _pinned(request, workspace_id, artifact_id, pinning.pin_artifact)


@require_POST
def unpin_artifact(request: HttpRequest, workspace_id: UUID, artifact_id: UUID) -> HttpResponse:
    """No revision is final any more."""
    return _pinned(request, workspace_id, artifact_id, pinning.unpin_artifact)


def _pinned(
    request: HttpRequest, workspace_id: UUID, artifact_id: UUID, verb: Callable[..., Future[Outcome]]
) -> HttpResponse:
    actor = actor_of(request)
    file_of(actor, workspace_id, artifact_id, "artifact.pin")
    perform(verb, artifact_id, actor=actor, operation=operation_of(request))
    return sent_to(request, reverse("file", args=[workspace_id, artifact_id]))
