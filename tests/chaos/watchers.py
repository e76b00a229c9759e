"""`python -m tests.chaos.watchers CONFIG.json`: many browsers in one process, as raw clients of both sockets.

The configuration is {"url", "token", "workspace", "after", "seed", "journals", "pages", "diary"}. So
many `journals` follow the journal socket, so many `pages` the pages' socket as `static/live.js` does; all acknowledge,
and come back when they are cut off, after the same pauses as a page. The diary has a line for each up and down, and one
for each new place that all have come to; at SIGTERM each browser adds what it heard when: [[after, seq, seconds since
1970], ...].
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from tests.stories.script import SUBPROTOCOL

Json = dict[str, Any]
ENTRIES = re.compile(r'"after": ?(\d+), ?"seq": ?(\d+)')
SEQ = re.compile(r'"seq": ?(\d+)')
TOP = 300  # characters, in which a frame says its place
ACK_EVERY, ACK_AFTER = 0.1, 100  # seconds, entries: whichever is first
LOOK = 0.25  # seconds between two looks at where all are
# What pages in turn say they have a place for: a board, a fleet view, a task's page, the talk.
PLACES = (("cards",), ("cells",), ("cards", "steps"), ())


class Watcher:
    """One browser: where it is in the journal, and when it heard what."""

    def __init__(self, number: int, kind: str, told: Json, file: TextIO) -> None:
        self.number, self.kind, self._told, self._file = number, kind, told, file
        self.seq, self.generation = int(told["after"]), 1
        self.frames: list[tuple[int, int, float]] = []
        self._dice = random.Random(f"{told['seed']}:{number}")
        self._acked, self._acked_at, self._tries = self.seq, 0.0, 0

    def note(self, what: str, **more: Any) -> None:
        line = {"at": time.time(), "browser": self.number, "kind": self.kind, "what": what, **more}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    async def run(self) -> None:
        """Watch, and come back whenever the line is cut, until cancelled."""
        while True:
            try:
                await self._watch()
            except InvalidStatus as refused:
                self.note("down", why=f"HTTP {refused.response.status_code}")
            except ConnectionClosed as closed:
                self.note("down", why=f"closed {closed.rcvd.code if closed.rcvd else 1006}")
            except (OSError, InvalidHandshake, EOFError) as fault:
                self.note("down", why=type(fault).__name__)
            await asyncio.sleep(min(30.0, 0.5 * 2**self._tries) * self._dice.uniform(0.5, 1.0))
            self._tries += 1

    async def _watch(self) -> None:
        where = urlsplit(self._told["url"])
        told = {"Authorization": f"Bearer {self._told['token']}"}
        path = "/ws/"
        if self.kind == "journal":
            path = f"/ws/workspaces/{self._told['workspace']}/?after={self.seq}&generation={self.generation}"
        protocols: Any = [SUBPROTOCOL] if self.kind == "journal" else None
        async with connect(
            f"ws://{where.netloc}{path}", subprotocols=protocols, additional_headers=told, open_timeout=20,
            compression=None, max_size=None, proxy=None,
        ) as line:  # fmt: skip
            if self.kind == "page":
                place = {"generation": self.generation, "after": self.seq}
                await self._say(line, "subscribe", kinds=PLACES[self.number % len(PLACES)], **place)
            async for text in line:
                await self._hear(line, str(text))

    async def _hear(self, line: ClientConnection, text: str) -> None:
        top = text[:TOP]
        if '"type":"hello"' in top:
            self._tries = 0
            self.note("up")
        elif '"type":"entries"' in top:
            found = ENTRIES.search(top)
            assert found is not None, top
            await self._took(line, int(found[1]), int(found[2]))
        elif '"type":"fragments"' in top:
            found = SEQ.search(top)
            assert found is not None, top
            await self._took(line, self.seq, int(found[1]))
        elif '"type":"reset"' in top or '"type":"snapshot"' in top or '"type":"error"' in top:
            self.note("said", text=top)

    async def _took(self, line: ClientConnection, after: int, seq: int) -> None:
        now = time.time()
        self.frames.append((after, seq, now))
        self.seq = seq
        # A page acknowledges each frame once it is in the page.
        if self.kind == "page" or now - self._acked_at > ACK_EVERY or seq - self._acked >= ACK_AFTER:
            self._acked, self._acked_at = seq, now
            await self._say(line, "ack", seq=seq)

    async def _say(self, line: ClientConnection, kind: str, **more: Any) -> None:
        place = {"workspace": self._told["workspace"]} if self.kind == "page" else {}
        await line.send(json.dumps({"type": kind, **place, **more}))


async def told_where(watchers: Sequence[Watcher]) -> None:
    """Note up to where all have heard, whenever that is another place, until cancelled."""
    place = 0
    while True:
        now = min((one.seq for one in watchers), default=0)
        if now != place:
            place = now
            watchers[0].note("all at", seq=place)
        await asyncio.sleep(LOOK)


async def watch(told: Json, file: TextIO) -> None:
    """Run all browsers until SIGTERM; then say what they heard."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    kinds = ["journal"] * told["journals"] + ["page"] * told["pages"]
    watchers = [Watcher(number, kind, told, file) for number, kind in enumerate(kinds)]
    tasks = [asyncio.create_task(one) for one in (*(one.run() for one in watchers), told_where(watchers))]
    waiting = asyncio.create_task(over.wait())
    await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    for one in watchers:
        one.note("heard", frames=one.frames)


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    with Path(given["diary"]).open("a") as diary_file:
        asyncio.run(watch(given, diary_file))
