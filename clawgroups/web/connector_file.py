"""`/connect.pyz`: the connector for a machine that has nothing but Python."""

from __future__ import annotations

import base64

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

from clawgroups.web.connector_zip import connector_zip

NAME = "connect.pyz"


def _etag(request: HttpRequest) -> str:
    return f'"{connector_zip().sha256}"'


@require_safe
@condition(etag_func=_etag)
def connector_file(request: HttpRequest) -> HttpResponse:
    """The file. It is the same for everybody and holds no secret."""
    made = connector_zip()
    response = HttpResponse(made.content, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{NAME}"'
    response["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(made.sha256)).decode()}:"
    # Asked for again each time, and sent again when this server has another.
    response["Cache-Control"] = "public, no-cache"
    return response


@require_safe
def connector_sum(request: HttpRequest) -> HttpResponse:
    """Its SHA-256, as `sha256sum --check` reads it."""
    response = HttpResponse(f"{connector_zip().sha256}  {NAME}\n", content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "public, no-cache"
    return response
