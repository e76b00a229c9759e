"""Files of runs."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from ninja import Query, Router, Schema
from pydantic import Field

from clawgroups.api import shown
from clawgroups.api.access import actor_of
from clawgroups.api.downloads import download
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, write
from clawgroups.fragments.files import files_of, named
from clawgroups.models import Artifact
from clawgroups.permissions import get_artifact, get_run
from clawgroups.services import archives, pinning
from clawgroups.services.sending import streamed

router = Router(tags=["artifacts"])


class ArtifactQuery(Schema):
    """Which ones."""

    kind: Literal["input", "result", "late", "deliverable", "draft"] | None = None


@router.get("/runs/{uuid:run_id}/artifacts")
def list_artifacts(request: HttpRequest, run_id: UUID, paged: Paging, query: Query[ArtifactQuery]) -> Answer:
    """A run's files, oldest first: inputs, results, deliverables."""
    get_run(actor_of(request), run_id, "artifact.view")
    rows = Artifact.objects.filter(run_id=run_id).exclude(kind="kept")
    if query.kind is not None:
        rows = rows.filter(kind=query.kind)
    return page(rows, paged, shown.artifact, order="id")


@router.get("/artifacts/{uuid:artifact_id}")
def get_artifact_(request: HttpRequest, artifact_id: UUID) -> Answer:
    """What a file is."""
    return shown.artifact(get_artifact(actor_of(request), artifact_id, "artifact.view"))


@router.get("/artifacts/{uuid:artifact_id}/content")
def download_artifact(request: HttpRequest, artifact_id: UUID) -> HttpResponseBase:
    """The file itself, as an attachment."""
    row = get_artifact(actor_of(request), artifact_id, "artifact.view")
    return download(request, sha256=row.sha256, size=row.size, name=row.name, content_type=row.content_type)


class FileQuery(Schema):
    """Which names of a run: `offset` files are passed, deliverables and final ones come first."""

    q: str = Field("", max_length=200)
    offset: int = Field(0, ge=0)
    limit: int = Field(100, ge=1, le=500)


@router.get("/runs/{uuid:run_id}/files")
def list_files(request: HttpRequest, run_id: UUID, query: Query[FileQuery]) -> Answer:
    """A run's files, each with its versions, newest first; `standing` is the final or else the newest one.

    A file is a name within a task, or within the run where no task made it.
    """
    get_run(actor_of(request), run_id, "artifact.view")
    wanted = query.q.replace("\0", "")
    where = Q(run=run_id, name__icontains=wanted) if wanted else Q(run=run_id)
    groups = list(named(where)[query.offset : query.offset + query.limit + 1])
    items = [
        {
            "name": one.shown.name,
            "task": one.shown.task_id and str(one.shown.task_id),
            "standing": str(one.shown.pk),
            "final": one.shown.pinned_at is not None,
            "versions": [shown.artifact(row) for row in one.versions],
        }
        for one in files_of(groups[: query.limit], where)
    ]
    return {"items": items, "next": query.offset + query.limit if len(groups) > query.limit else None}


@router.post("/artifacts/{uuid:artifact_id}/pin")
def pin_artifact(request: HttpRequest, response: HttpResponse, artifact_id: UUID) -> Answer:
    """Make this revision the final one, instead of whichever was before (`before`)."""
    return write(request, response, pinning.pin_artifact, artifact_id)


@router.post("/artifacts/{uuid:artifact_id}/unpin")
def unpin_artifact(request: HttpRequest, response: HttpResponse, artifact_id: UUID) -> Answer:
    """No revision of this file is final any more."""
    return write(request, response, pinning.unpin_artifact, artifact_id)


class ArchiveQuery(Schema):
    """Of each deliverable the final or newest revision; everything; or everything with plan, verdicts, costs and
    receipts, as a bundle that can be verified."""

    which: Literal["deliverables", "all", "bundle"] = "deliverables"


@router.get("/runs/{uuid:run_id}/archive")
def download_archive(request: HttpRequest, run_id: UUID, query: Query[ArchiveQuery]) -> HttpResponseBase:
    """A run's files as one ZIP with a manifest of hashes and authors, made while it is sent."""
    run = get_run(actor_of(request), run_id, "artifact.view")
    archive = archives.archive_of(run, query.which)
    response = streamed(request, archives.pieces(archive))
    response["Content-Type"] = "application/zip"
    response["Content-Disposition"] = content_disposition_header(True, archive.name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
