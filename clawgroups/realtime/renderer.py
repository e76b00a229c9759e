"""What pages show is drawn in a process of its own: whoever serves takes no turns with it.

Threads of one interpreter take turns, and beside other processes whoever has the turn waits for a processor: with
drawing among them a page of a busy workspace heard two seconds late.

It is forked before anything is listened to or connected to and before there are threads, and shares the memory of what
was loaded. Another one, in the place of one that has died, is begun as a program. Meanwhile a thread of ours draws, and
wherever there is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

import setproctitle
from django.conf import settings
from django.db import connections
from django.urls import reverse
from django.utils import translation

from clawgroups import fragments
from clawgroups.core.parent import die_with
from clawgroups.models import Entry
from clawgroups.realtime import feed
from clawgroups.realtime.pages import BETWEEN
from clawgroups.services.perform import draw_async, keeping, while_drawing

log = logging.getLogger(__name__)

LARGE = 16 * 1024 * 1024  # bytes that are read without a rest: each rest is another round of a busy loop
SIZE = 8  # bytes before each answer that say how long it is
COLUMNS = ("seq", "type", "actor", "payload")  # of an entry, as far as it decides what is drawn
PATIENCE = 60.0  # seconds for one drawing: longer than any of its statements may take
AGAIN = 60.0  # seconds after a replacement until one that has died is replaced once more
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def load() -> None:
    """Load addresses, words and templates: a fork would do so for itself as it first draws."""
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            reverse("workspaces")
    fragments.load()


def draw(entries: Sequence[Entry], workspace_id: UUID, kinds: Sequence[str], language: str) -> dict[str, str]:
    """The HTML of these kinds that brings a page from before `entries` to after them."""
    wanted = feed.wanted(entries, workspace_id)
    with translation.override(language):
        return {kind: BETWEEN.join(feed.drawn(entries, wanted, kind)) for kind in kinds}


@dataclass
class Drawer:
    """A process that draws, and our end of the line to it."""

    pid: int
    line: socket.socket
    program: subprocess.Popen[bytes] | None = None  # where it is no fork: kept, so that nobody else asks for its end
    streams: Streams | None = None

    async def ask(self, job: Any) -> dict[str, str] | None:
        """Have something drawn. Raises OSError or EOFError where it has died."""
        self.streams = self.streams or await asyncio.open_connection(sock=self.line, limit=LARGE)
        reader, writer = self.streams
        writer.write(pickle.dumps(job))
        size = int.from_bytes(await reader.readexactly(SIZE))
        found: dict[str, str] | None = pickle.loads(await reader.readexactly(size))  # noqa: S301  of our own child
        return found

    def end(self) -> None:
        """Let it be gone, whatever it does."""
        if self.streams is not None:
            self.streams[1].close()
        self.line.close()
        if self.program is not None:
            self.program.kill()
            self.program.wait()
            return
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


class Renderer:
    """Draws, one after the other, for one event loop."""

    def __init__(self) -> None:
        self._drawer: Drawer | None = None
        self._next_at = float("inf")  # when one may be begun; never where none was prepared
        self._turn, self._late = asyncio.Lock(), asyncio.Lock()

    def prepare(self) -> None:
        """Fork one that draws. To be called with everything loaded, while there is nothing that no fork may share."""
        self._next_at = 0.0
        if threading.active_count() > 1:
            return  # what they hold now a fork would hold for ever: one is begun as a program
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        if not (pid := os.fork()):
            ours.close()
            serve(theirs, parent)
        theirs.close()
        self._drawer = Drawer(pid, ours)

    def stop(self) -> None:
        """End the process: nothing is drawn any more."""
        self._next_at = float("inf")
        self._forget()

    async def draw(
        self, entries: Sequence[Entry], workspace_id: UUID, kinds: Sequence[str], language: str, *, late: bool
    ) -> dict[str, str]:
        """`draw` for who must not wait for it in a thread; of those who are late only one is in the others' way."""
        async with self._late if late else contextlib.nullcontext():
            found = None
            if self._may_ask():
                # By a task of its own: whoever waits may be gone before the answer is there, which the next would read.
                asked = asyncio.ensure_future(self._asked(entries, (workspace_id, list(kinds), language)))
                found = await asyncio.shield(asked)
            if found is None:
                found = await draw_async(draw, entries, workspace_id, kinds, language)
            return found

    def _may_ask(self) -> bool:
        return self._drawer is not None or time.monotonic() >= self._next_at

    async def _asked(self, entries: Sequence[Entry], how: tuple[Any, ...]) -> dict[str, str] | None:
        """What another process has drawn; None where it could not, or died."""
        rows = [tuple(getattr(entry, name) for name in COLUMNS) for entry in entries]
        async with self._turn:
            if not self._may_ask():
                return None  # it died while others waited for it
            try:
                with while_drawing():
                    async with asyncio.timeout(PATIENCE):
                        return await self._at_work().ask((rows, *how))
            except (OSError, EOFError) as gone:  # TimeoutError among them
                log.warning("the process that draws pages has died: %s", gone)
                self._forget()
                return None
            except BaseException:
                # At the end of the loop: the next would read an answer that isn't theirs.
                self._forget()
                raise

    def _at_work(self) -> Drawer:
        if self._drawer is None:
            self._next_at = time.monotonic() + AGAIN
            self._drawer = _another()
        return self._drawer

    def _forget(self) -> None:
        if self._drawer is not None:
            self._drawer.end()
        self._drawer = None


def _another() -> Drawer:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "clawgroups.drawing", str(theirs.fileno()), str(os.getpid())]
        program = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    return Drawer(program.pid, ours, program)


def serve(line: socket.socket, parent: int) -> NoReturn:
    """Draw what `parent` asks for at this line, until that is gone."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # it goes with its parent, which may still want something drawn
        die_with(parent)
        setproctitle.setproctitle("clawgroups: draws pages")
        asked = line.makefile("rb")
        while True:
            rows, *how = pickle.load(asked)  # noqa: S301  of our own parent
            answer = pickle.dumps(_drawn(rows, *how))
            line.sendall(len(answer).to_bytes(SIZE) + answer)
    except EOFError:
        os._exit(0)
    finally:
        os._exit(1)  # never on into what the parent goes on with


def _drawn(rows: Sequence[tuple[Any, ...]], *how: Any) -> dict[str, str] | None:
    """What was drawn; None where that could not be: whoever asks tries it, and is told why."""
    try:
        return keeping(draw, [Entry(**dict(zip(COLUMNS, row, strict=True))) for row in rows], *how)
    except Exception:
        log.exception("what pages show could not be drawn")
        connections.close_all()
        return None


renderer = Renderer()
