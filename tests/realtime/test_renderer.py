"""Drawing in a process of its own, and what happens where that one is gone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from websockets.sync.client import ClientConnection

from clawgroups.models import Entry
from clawgroups.realtime import renderer as module
from clawgroups.realtime.renderer import Renderer, draw
from clawgroups.services.perform import read_async
from tests.chaos.processes import children_of, lives
from tests.realtime.conftest import PATIENCE, Room
from tests.realtime.real_server import Server, serving
from tests.realtime.test_real_server import take
from tests.stories.waiting import until

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
KINDS = ("", "cards")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as running:
        yield running


class Page:
    """A page of one workspace of the server."""

    def __init__(self, server: Server, line: ClientConnection) -> None:
        self._server, self._line = server, line
        self.workspace = server.call("POST", "/api/v1/workspaces", {"name": "Real"})[1]["id"]
        self._say("subscribe", generation=1, after=2)

    def hears(self, text: str) -> bool:
        """Whether it is brought a message that is posted now."""
        self._server.call("POST", f"/api/v1/workspaces/{self.workspace}/messages", {"body": text})
        while (frame := take(self._line))["type"] != "fragments":
            pass
        self._say("ack", seq=frame["seq"])
        return text in frame["html"]

    def _say(self, kind: str, **more: int) -> None:
        self._line.send(json.dumps({"type": kind, "workspace": self.workspace, **more}))


WEB = """
import sys
import clawgroups.server.__main__
import clawgroups.asgi
from django.template import engines
assert not {"numpy", "openpyxl", "clawgroups.core.roster"} & sys.modules.keys(), "what only some need is loaded"
[loader] = engines["django"].engine.template_loaders
print(*loader.get_template_cache)
"""


def test_before_web_serves_it_has_loaded_what_pages_are_told_with_and_not_what_few_want(tmp_path: Path) -> None:
    environment = {**os.environ, "CLAWGROUPS_DATA": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", WEB], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    # A card, what that includes, and what tells a page to ask for more.
    assert {"tasks/_card.html", "tasks/_relay.html", "_needs.html"} <= loaded
    assert "needs/_list.html" not in loaded


def child_of(parent: int) -> int:
    found: list[int] = until(lambda: children_of(parent), seconds=PATIENCE, what="a process that draws")
    return found[0]


def test_pages_hear_on_whichever_of_the_processes_that_draw_is_killed(server: Server) -> None:
    first = child_of(server.process.pid)
    with server.socket("/ws/") as line:
        page = Page(server, line)
        assert page.hears("drawn by the first")
        os.kill(first, signal.SIGKILL)
        assert page.hears("drawn by a thread")
        assert page.hears("drawn by the second")
        os.kill(child_of(server.process.pid), signal.SIGKILL)
        assert page.hears("drawn by a thread again")
        assert page.hears("and so until a minute has passed")
    assert children_of(server.process.pid) == []
    assert "could not be drawn" not in server.said()


def test_what_draws_goes_with_a_server_that_is_killed(server: Server) -> None:
    drawer = child_of(server.process.pid)
    with server.socket("/ws/") as line:
        assert Page(server, line).hears("drawn")
        server.process.kill()
    until(lambda: not lives(drawer), seconds=PATIENCE, what="the end of the process that draws")


async def test_where_no_process_draws_a_thread_does(room: Room) -> None:
    head = await read_async(room.say, 2)
    entries = await read_async(lambda: list(Entry.objects.filter(workspace=room.id, seq__gt=head - 2)))
    expected = await read_async(draw, entries, room.id, KINDS, "en")
    assert "hello 1" in expected[""]
    assert await Renderer().draw(entries, room.id, KINDS, "en", late=True) == expected


async def test_who_goes_away_before_its_drawing_is_there_takes_nothing_from_the_next() -> None:
    renderer = Renderer()
    renderer._next_at = 0.0
    try:
        workspace = uuid4()
        assert await renderer.draw([], workspace, KINDS, "en", late=False) == draw([], workspace, KINDS, "en")
        drawer = renderer._drawer
        assert drawer is not None
        assert lives(drawer.pid)
        leaving = asyncio.ensure_future(renderer.draw([], workspace, ("cells",), "en", late=True))
        while not renderer._turn.locked():
            await asyncio.sleep(0)
        leaving.cancel()
        assert await renderer.draw([], workspace, ("steps",), "en", late=True) == {"steps": ""}
        assert leaving.cancelled()
        assert renderer._drawer is drawer
    finally:
        renderer.stop()
    assert not lives(drawer.pid)


def test_what_cannot_be_drawn_is_left_to_whoever_asked(caplog: pytest.LogCaptureFixture) -> None:
    bad = (1, "message.posted", {"kind": "person"}, {"message_id": "none"})
    assert module._drawn([bad], uuid4(), KINDS, "en") is None
    assert "could not be drawn" in caplog.text
