"""Bytes on their way out: as an attachment, never sniffed, never run."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from clawgroups.services.files import open_file
from clawgroups.services.sending import Pieces, streamed


def download(
    request: HttpRequest, *, sha256: str, size: int, name: str, content_type: str, inline: bool = False
) -> HttpResponseBase:
    """A file of the store. Raises `NotFound` when its bytes are lost."""
    etag = f'"{sha256}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304)
    response = streamed(request, Pieces(open_file(sha256)))
    response["Content-Length"] = str(size)
    response["ETag"] = etag
    return guarded(response, name=name, content_type=content_type, inline=inline)


def guarded(response: HttpResponseBase, *, name: str, content_type: str, inline: bool = False) -> HttpResponseBase:
    """The headers under which somebody's file is harmless in a browser (ASVS 3.2.1, 5.4.1).

    `inline`: it is shown in a page; only for a picture whose bytes were looked at (`services.pictures`).
    """
    response["Content-Type"] = content_type or "application/octet-stream"
    response["Content-Disposition"] = content_disposition_header(not inline, name.rsplit("/", 1)[-1]) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-cache"
    return response
