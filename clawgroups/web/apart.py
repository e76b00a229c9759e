"""The origin that files are looked at from serves nothing else: nobody is signed in there, or could be."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound


class ApartMiddleware:
    """Answers every other address of that origin as if there were nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.SANDBOX_URL:
            raise MiddlewareNotUsed
        self.get_response = get_response
        self.host = urlsplit(settings.SANDBOX_URL).netloc

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.get_host() == self.host and not request.path.startswith("/view/"):
            return HttpResponseNotFound("There is nothing here.", content_type="text/plain")
        return self.get_response(request)
