"""In which language and time zone a request is answered: the person's own, else what their browser says."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from clawgroups.core.errors import ClawError
from clawgroups.models import Preferences
from clawgroups.services.preferences import LANGUAGES, is_zone, preferences_of

# These speak to programs, which read English.
OTHER_DOORS = ("/api/", "/mcp", "/acp", "/healthz", "/readyz", "/connect.pyz")


class LanguageMiddleware:
    """Answers in the person's language and time zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(OTHER_DOORS):
            with translation.override(settings.LANGUAGE_CODE):
                return self.get_response(request)
        chosen = _chosen(request)
        request.zone = chosen.zone  # type: ignore[attr-defined]
        zone = ZoneInfo(chosen.zone) if chosen.zone and is_zone(chosen.zone) else None
        language = chosen.language if chosen.language in LANGUAGES else of_browser(request)
        with translation.override(language), timezone.override(zone):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ("Cookie", "Accept-Language"))
        return response


def _chosen(request: HttpRequest) -> Preferences:
    """What the person has chosen; nothing while the database is away, which the page itself finds and tells."""
    try:
        return preferences_of(request.user.pk) if request.user.is_authenticated else Preferences()
    except (DatabaseError, ClawError):
        return Preferences()


def of_browser(request: HttpRequest) -> str:
    """The language that this browser was set to on our pages, else that it asks for."""
    kept = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return kept if kept in LANGUAGES else translation.get_language_from_request(request)
