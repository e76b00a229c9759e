"""Expected failures as pages and toasts. What was typed is never lost: it stands on the error page."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from http import HTTPStatus
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext_lazy as _
from django.views import defaults

from clawgroups.commit.faults import outage
from clawgroups.core.errors import Busy, ClawError, Unauthenticated
from clawgroups.web.http import is_htmx, see
from clawgroups.wording import say

# These answer in their own form (problem+json, JSON-RPC).
OTHER_DOORS = ("/api/", "/mcp", "/acp")
SECRET_FIELDS = frozenset({"csrfmiddlewaretoken", "operation", "password", "password1", "password2", "oldpassword"})

# What was chosen from a list was not typed.
CHOSEN = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


# What the page of a failure is called; its sentence says what to do.
TITLES = {
    401: _("Sign in first"),
    403: _("Not allowed"),
    404: _("Nothing here"),
    409: _("It moved on meanwhile"),
    413: _("Too large"),
    422: _("That cannot be"),
    429: _("Too much at once"),
    503: _("One moment, please"),
    504: _("Not known yet"),
}


class ErrorMiddleware:
    """Turns a `ClawError` of a page's view into an answer for people."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, fault: Exception) -> HttpResponse | None:
        """The answer for an expected failure; None leaves the exception to Django."""
        away = outage(fault)
        if request.path.startswith(OTHER_DOORS) or not (away or isinstance(fault, ClawError)):
            return None
        if away is not None:
            return _one_moment(request, away)
        assert isinstance(fault, ClawError)
        if isinstance(fault, Unauthenticated):
            return _sign_in(request)
        if is_htmx(request):
            return toast(request, fault.message, fault.status)
        return explain(request, fault.message, fault.status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A request that Django itself refuses: one with too much text in it is told how much, and what to do instead."""
    if not isinstance(exception, RequestDataTooBig):
        return defaults.bad_request(request, exception or Exception())
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // (1024 * 1024)
    message = (
        f"At most {most} MB of text can be sent at once, and a draft holds at most 1,000,000 characters. "
        "Nothing was saved: go back, your text is still there, and attach it as a file instead."
    )
    # Nothing of what was sent is read for the answer.
    request.htmx = bool(request.headers.get("HX-Request"))  # type: ignore[attr-defined]
    return toast(request, message, 413) if is_htmx(request) else _too_much(request, message)


def _too_much(request: HttpRequest, message: str) -> HttpResponse:
    context = {"message": say(message), "status": 413, "title": HTTPStatus(413).phrase, "typed": [], "back": ""}
    back = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        context["back"] = back
    return render(request, "error.html", context, status=413)


def server_error(request: HttpRequest) -> HttpResponse:
    """The last resort: an outage of the database is said to be one wherever it was met, with when to come back."""
    fault = sys.exc_info()[1]
    away = None if fault is None else outage(fault)
    return defaults.server_error(request) if away is None else _one_moment(request, away)


def _one_moment(request: HttpRequest, away: Busy) -> HttpResponse:
    """The database is away: an answer made without it."""
    if is_htmx(request):
        response = toast(request, away.message, away.status)
    else:
        response = HttpResponse(render_to_string("503.html"), status=away.status)
    response["Retry-After"] = "5"
    return response


def toast(request: HttpRequest, message: str, status: int) -> HttpResponse:
    """The failure as one out-of-band fragment; nothing else of the page changes."""
    return render(request, "_toast.html", {"message": say(message), "id": uuid4().hex, "bad": True}, status=status)


def explain(request: HttpRequest, message: str, status: int) -> HttpResponse:
    """The failure as a page, with what had been typed and the way back."""
    back = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = "/"
    context = {
        "message": say(message),
        "status": status,
        "title": TITLES.get(status) or HTTPStatus(status).phrase,
        "typed": _typed(request),
        "back": back,
    }
    return render(request, "error.html", context, status=status)


def _typed(request: HttpRequest) -> list[str]:
    if request.method != "POST":
        return []
    return [
        str(value)
        for name, values in request.POST.lists()
        for value in values
        if name not in SECRET_FIELDS and len(str(value).strip()) > 2 and not CHOSEN.fullmatch(str(value))
    ]


def _sign_in(request: HttpRequest) -> HttpResponse:
    where = request.get_full_path() if request.method == "GET" else request.headers.get("Referer", "/")
    address = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': where})}"
    if is_htmx(request):
        response = HttpResponse(status=401)
        response["HX-Redirect"] = resolve_url(settings.LOGIN_URL)
        return response
    return see(address)
