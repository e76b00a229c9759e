"""The socket of a page, through hands that can cut it or keep its words back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, WebSocketRoute

from tests.stories.waiting import until


class Line:
    """What goes over a page's socket. Made before the page opens it."""

    def __init__(self, page: Page) -> None:
        self.received: list[dict[str, Any]] = []
        """Frames that the page has got."""
        self.sent: list[dict[str, Any]] = []
        self._page = page
        self._up = True
        self._dumb = False
        self._open: list[tuple[WebSocketRoute, WebSocketRoute]] = []
        page.route_web_socket(re.compile(r"/ws/$"), self._carry)

    def cut(self) -> None:
        """Close it, and let no other one through; the page can ask for nothing either."""
        self._up = False
        self._page.context.set_offline(True)
        for page_side, server_side in self._open:
            page_side.close()
            server_side.close()
        self._open.clear()

    def back(self) -> None:
        self._up = True
        self._page.context.set_offline(False)

    def silence(self) -> None:
        """Pass on nothing more of what is open, and tell nobody."""
        self._dumb = True

    def say(self, frame: dict[str, Any]) -> None:
        """What the page takes for a word of the server."""
        page_side, _ = self._open[-1]
        page_side.send(json.dumps(frame))

    def fragments(self) -> list[tuple[int, int]]:
        """(generation, number) of all changes that came, in their order."""
        return [(f["generation"], f["seq"]) for f in self.received if f["type"] == "fragments"]

    def asked(self, kind: str) -> list[dict[str, Any]]:
        """Frames of this type that the page has sent."""
        return [frame for frame in self.sent if frame["type"] == kind]

    def _carry(self, page_side: WebSocketRoute) -> None:
        if not self._up:
            page_side.close()
            return
        server_side = page_side.connect_to_server()
        self._dumb = False
        pair = (page_side, server_side)
        self._open.append(pair)

        def up(message: str | bytes) -> None:
            if not self._dumb and pair in self._open:
                self.sent.append(json.loads(message))
                server_side.send(message)

        def down(message: str | bytes) -> None:
            if not self._dumb and pair in self._open:
                self.received.append(json.loads(message))
                page_side.send(message)

        page_side.on_message(up)
        server_side.on_message(down)


def heard(page: Page, look: Callable[[], bool], what: str) -> None:
    """Wait for what is said on the socket, which passes through this process."""

    def after_a_moment() -> bool:
        page.wait_for_timeout(50)
        return look()

    until(after_a_moment, seconds=60, what=what)
