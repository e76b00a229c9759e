"""What a read-only link of a run opens, for whoever has it: how the run goes, and its deliverables. Nothing else.

It knows no account and writes nothing: no chat, no transcript, no question of an agent, no input, and of people not
even their names.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clawgroups.core.errors import NotFound
from clawgroups.fragments import rooms
from clawgroups.models import Share, Task
from clawgroups.services import shares
from clawgroups.services.files import open_file
from clawgroups.services.guessing import asker, guesses
from clawgroups.services.sending import Pieces, streamed
from clawgroups.web.http import is_htmx, page
from clawgroups.wording import say

MOST = 500
OVER = 286  # htmx asks no more after it


@never_cache
@require_safe
def shared_run(request: HttpRequest, share_code: str) -> HttpResponse:
    """The run as it is now; a page that is open asks again by itself."""
    try:
        context = _seen(_found(request, share_code), share_code)
        status = 200
    except NotFound as fault:
        context, status = {"why": say(fault.message)}, 404
    if is_htmx(request):
        return render(request, "runs/_shared.html", context, status=OVER if status == 404 else 200)
    response = page(request, "runs/shared.html", context, status)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _found(request: HttpRequest, code: str) -> Share:
    with guesses.counted(asker(request.META)):
        return shares.find(code)


def _seen(share: Share, code: str) -> dict[str, Any]:
    (view,) = rooms.runs_of([share.run_id])
    rows = Task.objects.filter(run=share.run_id).select_related("assignee__agent").order_by("position")
    return {
        "share": share,
        "code": code,
        "view": view,
        "tasks": rows[:MOST],
        "more": max(0, view.total - MOST),
    }


@never_cache
@require_safe
def shared_file(request: HttpRequest, share_code: str, artifact_id: UUID) -> HttpResponseBase:
    """A deliverable, to be downloaded and never shown here."""
    row = shares.files_of(_found(request, share_code)).filter(pk=artifact_id).first()
    if row is None:
        raise NotFound("There is no such file among the deliverables.")
    response = streamed(request, Pieces(open_file(row.sha256)))
    response["Content-Length"] = str(row.size)
    response["Content-Type"] = row.content_type or "application/octet-stream"
    response["Content-Disposition"] = content_disposition_header(True, row.name.rsplit("/", 1)[-1]) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
