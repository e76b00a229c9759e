"""Files that run or draw by themselves (web pages, drawings, PDFs), in a frame that reaches nothing.

The address of such a view is signed for one person and one file, and expires. What is served there has an origin of
its own in every browser: an opaque one by the header `sandbox`, and besides another host where there is one
(`SANDBOX_URL`; on one's own machine the other name of it). No cookie counts there: the signature does, and each time
the person's right to see the file.
"""

from __future__ import annotations

import mimetypes
from urllib.parse import quote, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor
from clawgroups.core.errors import ClawError, NotFound
from clawgroups.core.looks import suffix_of
from clawgroups.models import Artifact
from clawgroups.permissions import get_artifact
from clawgroups.services.files import open_file, path_of
from clawgroups.services.previews import looked_at
from clawgroups.services.sending import Pieces, streamed
from clawgroups.services.zips import Unreadable, member

LASTS = 15 * 60
SALT = "clawgroups.view"
OTHER_NAME = {"127.0.0.1": "localhost", "localhost": "127.0.0.1", "[::1]": "localhost"}
NOTHING = "connect-src 'none'; form-action 'none'; base-uri 'none'"
# What a member of a website is served as; anything else of it is only bytes.
WEB = frozenset(
    (".html", ".htm", ".css", ".js", ".mjs", ".json", ".txt", ".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".ico",
     ".woff", ".woff2", ".ttf", ".otf", ".mp3", ".mp4", ".webm", ".ogg", ".wav")
)  # fmt: skip


def origin_apart(request: HttpRequest) -> str:
    """Another origin than the page's, where views are served from; "" where there is none."""
    if settings.SANDBOX_URL:
        return str(settings.SANDBOX_URL)
    host, colon, port = request.get_host().partition(":")
    other = OTHER_NAME.get(host, "")
    return f"{request.scheme}://{other}{colon}{port}" if other in settings.ALLOWED_HOSTS else ""


def view_of(request: HttpRequest, actor: Actor, row: Artifact, inside: str = "") -> tuple[str, str]:
    """The address of a view for this person, and what the page allows its frame to load.

    `inside`: the first page of a website in an archive; the frame goes on within the archive.
    """
    origin = origin_apart(request) or f"{request.scheme}://{request.get_host()}"
    token = TimestampSigner(salt=SALT).sign(f"{row.pk.hex}.{actor.user_id}.{urlsplit(origin).netloc}")
    start = origin + reverse("view-file", args=[token, ""])
    return start + quote(inside), start


@require_safe
@xframe_options_exempt
def view_file(request: HttpRequest, token: str, inside: str) -> HttpResponseBase:
    """A file as its frame loads it."""
    try:
        response = _shown(request, _row(request, token), inside)
    except (ClawError, Unreadable, KeyError):
        response = HttpResponse("This view is over. Load the page of the file again.", status=404)
        response["Content-Type"] = "text/plain; charset=utf-8"
        response["Content-Security-Policy"] = f"default-src 'none'; sandbox; {_framed()}"
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "private, no-store"
    response["X-DNS-Prefetch-Control"] = "off"
    return response


def _row(request: HttpRequest, token: str) -> Artifact:
    """The file that an address was signed for, at the host it was signed for, while its reader may see it.

    Raises `NotFound`.
    """
    try:
        pk, user_id, host = TimestampSigner(salt=SALT).unsign(token, max_age=LASTS).split(".", 2)
    except (BadSignature, ValueError):
        raise NotFound("This view is over.") from None
    if host != request.get_host():
        raise NotFound("This view is somewhere else.")
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise NotFound("This view is over.")
    return get_artifact(actor_of_user(user), UUID(pk), "artifact.view")


def _shown(request: HttpRequest, row: Artifact, inside: str) -> HttpResponseBase:
    found, apart = looked_at(row), _is_apart(request)
    if found.kind == "zip" and inside:
        return _member(request, row, inside)
    if inside:
        raise NotFound("There is nothing else here.")
    if found.kind == "html":
        return _framable(request, row, "text/html", _policy())
    if found.kind == "svg":
        return _framable(request, row, "image/svg+xml", f"{_drawing()}; sandbox")
    # A browser shows PDFs by a part of its own, and in no sandbox: from another origin only.
    if found.kind == "pdf" and apart:
        return _framable(request, row, "application/pdf", f"{_drawing()}; object-src 'self'")
    raise NotFound("This file has no view of its own.")


def _is_apart(request: HttpRequest) -> bool:
    """Whether this host was made for views: the one that is set, or on one's own machine either of its two names."""
    host = request.get_host()
    return host == urlsplit(settings.SANDBOX_URL).netloc if settings.SANDBOX_URL else bool(origin_apart(request))


def _member(request: HttpRequest, row: Artifact, inside: str) -> HttpResponseBase:
    """A file of a website in an archive."""
    content = member(path_of(row.sha256), inside)
    kind = mimetypes.guess_type(inside)[0] if suffix_of(inside) in WEB else None
    response = HttpResponse(content, content_type=kind or "application/octet-stream")
    here = f"{request.scheme}://{request.get_host()}{request.path.removesuffix(inside)}"
    response["Content-Security-Policy"] = f"{_policy(here)}; {_framed(here)}"
    # Fonts and modules are asked for by an opaque origin; the address is all that opens them.
    response["Access-Control-Allow-Origin"] = "*"
    return response


def _framable(request: HttpRequest, row: Artifact, kind: str, policy: str) -> HttpResponseBase:
    response = streamed(request, Pieces(open_file(row.sha256)))
    response["Content-Type"] = kind if kind == "application/pdf" else f"{kind}; charset=utf-8"
    response["Content-Length"] = str(row.size)
    response["Content-Disposition"] = "inline"
    response["Content-Security-Policy"] = f"{policy}; {_framed()}"
    return response


def _policy(here: str = "") -> str:
    """What a web page may do: run, and look as it likes; load nothing but what lies in the same archive."""
    return (
        f"default-src 'none'; script-src 'unsafe-inline' {here}; style-src 'unsafe-inline' {here}; "
        f"img-src data: blob: {here}; font-src data: {here}; media-src data: blob: {here}; {NOTHING}; "
        "sandbox allow-scripts"
    )


def _drawing() -> str:
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; {NOTHING}"


def _framed(here: str = "") -> str:
    """Only our own pages (and a website's own) put it into a frame."""
    # A policy has no word for an address of IPv6.
    ours = [origin for origin in settings.ORIGINS if "[" not in origin]
    return f"frame-ancestors {' '.join([*ours, *([here] if here else [])])}"
