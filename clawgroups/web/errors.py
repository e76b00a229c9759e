"""Expected failures as pages and toasts. What was typed is never lost: it stands on the error page."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from clawgroups.core.errors import ClawError, Unauthenticated
from clawgroups.web.http import is_htmx, see

# These answer in their own form (problem+json, JSON-RPC).
OTHER_DOORS = ("/api/", "/mcp", "/acp")
SECRET_FIELDS = frozenset({"csrfmiddlewaretoken", "operation", "password", "password1", "password2", "oldpassword"})


class ErrorMiddleware:
    """Turns a `ClawError` of a page's view into an answer for people."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, fault: Exception) -> HttpResponse | None:
        """The answer for an expected failure; None leaves the exception to Django."""
        if not isinstance(fault, ClawError) or request.path.startswith(OTHER_DOORS):
            return None
        if isinstance(fault, Unauthenticated):
            return _sign_in(request)
        if is_htmx(request):
            return toast(request, fault.message, fault.status)
        return explain(request, fault.message, fault.status)


def toast(request: HttpRequest, message: str, status: int) -> HttpResponse:
    """The failure as one out-of-band fragment; nothing else of the page changes."""
    return render(request, "_toast.html", {"message": message, "id": uuid4().hex, "bad": True}, status=status)


def explain(request: HttpRequest, message: str, status: int) -> HttpResponse:
    """The failure as a page, with what had been typed and the way back."""
    back = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = "/"
    context = {
        "message": message,
        "status": status,
        "title": HTTPStatus(status).phrase,
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
        if name not in SECRET_FIELDS and len(str(value).strip()) > 2
    ]


def _sign_in(request: HttpRequest) -> HttpResponse:
    where = request.get_full_path() if request.method == "GET" else request.headers.get("Referer", "/")
    address = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': where})}"
    if is_htmx(request):
        response = HttpResponse(status=401)
        response["HX-Redirect"] = resolve_url(settings.LOGIN_URL)
        return response
    return see(address)
