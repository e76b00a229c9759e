"""The style page: every token, and every component in all its states, in light and dark side by side."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from clawgroups.core.errors import Forbidden
from clawgroups.web.http import actor_of, page
from clawgroups.web.tags import HUES, ICONS, STATES

TOKEN = re.compile(r"^\s*--([a-z0-9-]+): (.+);$", re.MULTILINE)
# What a token is, by how its value begins, or by its name.
KINDS = (
    ("space", re.compile(r"s\d$")),
    ("round", re.compile(r"round")),
    ("type", re.compile(r"(text|small|tiny|h1|h2|hero)")),
    ("motion", re.compile(r"(quick|calm|slow|ease)")),
    ("shade", re.compile(r"(shade|lift)")),
    ("font", re.compile(r"(sans|mono)$")),
)


@cache
def tokens() -> dict[str, list[tuple[str, str]]]:
    """The tokens of `tokens.css`, by kind."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, value in TOKEN.findall((Path(settings.BASE_DIR) / "static/css/tokens.css").read_text(encoding="utf-8")):
        if name in {one for names in found.values() for one, _value in names}:
            continue
        colour = "color" if value.startswith("light-dark(") else "other"
        kind = next((kind for kind, named in KINDS if named.match(name)), colour)
        found.setdefault(kind, []).append((name, value))
    return found


@require_safe
def style(request: HttpRequest) -> HttpResponse:
    """For staff: what there is to build pages with."""
    if not actor_of(request).is_staff:
        raise Forbidden("Only an administrator of this installation needs the style page.")
    context = {
        "tokens": tokens(),
        "schemes": ("light", "dark"),
        "icons": sorted(path.stem for path in ICONS.glob("*.svg")),
        "states": sorted(STATES, key=lambda name: (STATES[name][2], name)),
        "names": [f"Name {number}" for number in range(HUES)],
    }
    return page(request, "style/page.html", context)
