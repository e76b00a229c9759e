"""The work folder of an agent's session, opened by the session's own key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from ninja import Router

from clawgroups.api.access import SessionKey, agent_of
from clawgroups.api.downloads import download, guarded
from clawgroups.api.writing import Answer
from clawgroups.core.errors import Invalid, NotFound, StaleAttempt
from clawgroups.services import artifacts, files
from clawgroups.services.late import KEPT_FILE
from clawgroups.services.perform import perform
from clawgroups.services.sending import PIECE

router = Router(tags=["sessions"], auth=SessionKey())


@router.get("/sessions/{uuid:session_id}/files")
def list_session_files(request: HttpRequest, session_id: UUID) -> Answer:
    """What the work folder starts from."""
    session = artifacts.open_session_of(session_id, agent_of(request, session_id))
    base = request.build_absolute_uri(f"/api/v1/sessions/{session_id}/files")
    found = artifacts.work_files(session)
    return {
        "files": [{"name": f.name, "sha256": f.sha256, "size": f.size, "url": f"{base}/{quote(f.name)}"} for f in found]
    }


@router.get("/sessions/{uuid:session_id}/files/{path:name}")
def download_session_file(request: HttpRequest, session_id: UUID, name: str) -> HttpResponseBase:
    """One of those files."""
    session = artifacts.open_session_of(session_id, agent_of(request, session_id))
    found = artifacts.work_file(session, name)
    if found is None:
        raise NotFound("There is no such file in this session.")
    if found.text is not None:
        return guarded(HttpResponse(found.text), name=found.name, content_type=found.content_type)
    return download(request, sha256=found.sha256, size=found.size, name=found.name, content_type=found.content_type)


@router.put("/sessions/{uuid:session_id}/files/{path:name}", response={201: dict[str, Any]})
def deliver_session_file(request: HttpRequest, session_id: UUID, name: str) -> Answer:
    """Deliver a file: a result while the attempt is live. The same bytes count once.

    Once the attempt is over it is kept as evidence, and its writer is told so: 409 `stale_attempt`.
    """
    actor = agent_of(request, session_id)
    artifacts.session_of(session_id, actor)
    stored = files.store(_pieces(request), name=name, content_type=request.headers.get("Content-Type", ""))
    answer = dict(perform(artifacts.deliver_file, session_id, stored=stored, actor=actor).answer)
    if answer["kind"] == "late":
        raise StaleAttempt(
            f"“{name}” came after the attempt was over. It is kept beside the task and changes nothing.",
            current_epoch=answer["current_epoch"],
            kept_as=KEPT_FILE,
            artifact=answer["id"],
        )
    return answer


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    try:
        while piece := request.read(PIECE):
            yield piece
    except UnreadablePostError:
        raise Invalid("The file did not arrive whole.", code="incomplete") from None
