"""When each signed-in browser was last seen: put down every few minutes, not at every request."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase

from clawgroups.services.guessing import asker
from clawgroups.services.sign_ins import note_seen

EACH = 300.0
MOST = 20_000  # sessions that are remembered


class SeenMiddleware:
    """Lists the session of whoever comes in, by whatever way they signed in. Each process remembers by itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        # After the answer: by then somebody may have signed in, or out.
        key = request.session.session_key if hasattr(request, "session") else None
        if key and isinstance(request.user, User) and not _is_fragment(request):
            self._note(request, key, request.user)
        return response

    def _note(self, request: HttpRequest, key: str, user: User) -> None:
        address = _address(request)
        if self._is_due((key, address)):
            note_seen(key, user=user, address=address, browser=request.headers.get("User-Agent", ""))

    def _is_due(self, what: tuple[str, str]) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._seen.get(what, -EACH) < EACH:
                return False
            self._seen[what] = now
            self._seen.move_to_end(what)
            if len(self._seen) > MOST:
                self._seen.popitem(last=False)
        return True


def _is_fragment(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers or request.path.startswith("/api/")


def _address(request: HttpRequest) -> str:
    try:
        return str(ip_address(asker(request.META)))
    except ValueError:
        return "0.0.0.0"  # noqa: S104
