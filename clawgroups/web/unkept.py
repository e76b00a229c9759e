"""A piece that htmx got stands at the address of a whole page: no cache keeps it, and no way back leads to it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from clawgroups.web.http import is_htmx


class UnkeptMiddleware:
    """Says so of every piece whose view says nothing of it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_htmx(request) and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        return response
