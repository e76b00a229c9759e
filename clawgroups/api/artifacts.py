"""Files of runs."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Query, Router, Schema

from clawgroups.api import shown
from clawgroups.api.access import actor_of
from clawgroups.api.downloads import download
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer
from clawgroups.models import Artifact
from clawgroups.permissions import get_artifact, get_run

router = Router(tags=["artifacts"])


class ArtifactQuery(Schema):
    """Which ones."""

    kind: Literal["input", "result", "late", "deliverable"] | None = None


@router.get("/runs/{uuid:run_id}/artifacts")
def list_artifacts(request: HttpRequest, run_id: UUID, paged: Paging, query: Query[ArtifactQuery]) -> Answer:
    """A run's files, oldest first: inputs, results, deliverables."""
    get_run(actor_of(request), run_id, "artifact.view")
    rows = Artifact.objects.filter(run_id=run_id)
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
