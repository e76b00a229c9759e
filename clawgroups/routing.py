"""Where sockets go."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from clawgroups.gateway.acp import agents_socket
from clawgroups.realtime.browser import BrowserSocket
from clawgroups.realtime.consumers import JournalSocket
from clawgroups.realtime.socket import nowhere

# Channels' router calls ASGI applications; Django's types know views only.
urlpatterns: list[URLPattern] = [
    path("acp/connect", agents_socket, name="agents-socket"),  # type: ignore[arg-type]
    path("ws/", BrowserSocket.as_asgi(), name="browser-socket"),  # type: ignore[arg-type]
    path("ws/workspaces/<uuid:workspace_id>/", JournalSocket.as_asgi(), name="journal-socket"),  # type: ignore[arg-type]
    re_path("", nowhere, name="no-socket"),  # type: ignore[arg-type]
]
