"""Images, sounds and videos inside a page: by what their bytes are, under headers that let them do nothing else."""

from __future__ import annotations

import re
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from clawgroups.services.files import open_file
from clawgroups.services.previews import looked_at
from clawgroups.services.sending import Pieces, streamed
from clawgroups.web.file_rows import file_of
from clawgroups.web.http import actor_of, see

INLINE = frozenset({"image", "audio", "video"})
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{1,15})?", re.ASCII)


@require_safe
def file_content(request: HttpRequest, workspace_id: UUID, artifact_id: UUID) -> HttpResponseBase:
    """The bytes of an image, a sound or a video; every other file is only downloaded."""
    row = file_of(actor_of(request), workspace_id, artifact_id, "artifact.view")
    found = looked_at(row)
    if found.kind not in INLINE:
        return see(f"/api/v1/artifacts/{row.pk}/content")
    begin, end = _range(request, row.size)
    if begin >= row.size > 0:
        response: HttpResponseBase = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{row.size}"
        return response
    response = streamed(request, Pieces(open_file(row.sha256), begin, end - begin))
    if "Range" in request.headers and (begin, end) != (0, row.size):
        response.status_code = 206
        response["Content-Range"] = f"bytes {begin}-{end - 1}/{row.size}"
    response["Accept-Ranges"] = "bytes"
    response["Content-Length"] = str(end - begin)
    response["Content-Type"] = found.media
    response["Content-Disposition"] = "inline"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, max-age=300"
    return response


def _range(request: HttpRequest, size: int) -> tuple[int, int]:
    """The part that a player asks for; everything where it asks in a way that is not served."""
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    if asked is None:
        return 0, size
    begin, end = int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size
    return (begin, end) if end > begin or begin >= size else (0, size)
