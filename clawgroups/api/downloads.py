"""Bytes on their way out: as an attachment, never sniffed, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import BinaryIO

from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from clawgroups.services.files import open_file
from clawgroups.services.perform import read_async

PIECE = 256 * 1024


def download(request: HttpRequest, *, sha256: str, size: int, name: str, content_type: str) -> HttpResponseBase:
    """A file of the store. Raises `NotFound` when its bytes are lost."""
    etag = f'"{sha256}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304)
    opened = open_file(sha256)
    on_loop = isinstance(request, ASGIRequest)
    response = StreamingHttpResponse(_pieces(opened)) if on_loop else FileResponse(opened)
    response["Content-Length"] = str(size)
    response["ETag"] = etag
    return guarded(response, name=name, content_type=content_type)


def guarded(response: HttpResponseBase, *, name: str, content_type: str) -> HttpResponseBase:
    """The headers under which somebody's file is harmless in a browser (ASVS 3.2.1, 5.4.1)."""
    response["Content-Type"] = content_type or "application/octet-stream"
    response["Content-Disposition"] = content_disposition_header(True, name.rsplit("/", 1)[-1]) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-cache"
    return response


async def _pieces(opened: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while piece := await read_async(opened.read, PIECE):
            yield piece
    finally:
        opened.close()
