"""What every page shows: theme, keys, languages, time zone, model credit, whether sign-up is open."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from clawgroups.services import installation
from clawgroups.web import invited

THEMES = ("", "light", "dark")
THEME_COOKIE = "claw_theme"
KEYS_COOKIE = "claw_keys"


def site(request: HttpRequest) -> dict[str, object]:
    """Template context of the whole site."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    came_by = invited.kept(request)
    return {
        "theme": theme if theme in THEMES else "",
        "keys": "off" if request.COOKIES.get(KEYS_COOKIE) == "off" else "",
        "zone": getattr(request, "zone", ""),
        "languages": settings.LANGUAGES,
        "credit": settings.CREDIT,
        # Asked where a page says so, and not for every page.
        "signup_open": lambda: came_by is not None or installation.is_on("signup"),
        "outside": settings.OIDC_NAME if settings.OIDC_URL else "",
        "invited_to": "" if came_by is None else came_by.room,
        "max_upload": settings.MAX_UPLOAD_BYTES,
    }
