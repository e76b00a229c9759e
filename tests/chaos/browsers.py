"""Browsers that watch a workspace: each keeps what it is shown, notes when entries came, and acknowledges them.

`OnJournal` is at the journal socket, `OnPage` at the socket of the pages.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from clawgroups.core.fold import digest, fold
from tests.stories.script import SUBPROTOCOL, Follower, Script
from tests.stories.waiting import until

Json = dict[str, Any]
CUT_OFF = 1006
RESTS = 1.5  # seconds without news after which nothing is on the way any more
MESSAGE = re.compile(r'id="message-([0-9a-f-]{36})"')
HEADING = re.compile(r'<h1 class="clip">([^<]*)</h1>')


class Came(NamedTuple):
    """The entries behind `after` up to `seq` came in one frame at this moment (seconds since 1970)."""

    after: int
    seq: int
    at: float


class Book:
    """What anybody heard of a journal, each entry once. Two who were told different things are found out."""

    def __init__(self) -> None:
        self.entries: dict[int, Json] = {}
        self.faults: list[str] = []

    def hear(self, entries: Iterable[Json]) -> None:
        for entry in entries:
            if self.entries.setdefault(entry["seq"], entry) != entry:
                self.faults.append(f"entry {entry['seq']} was told in two ways")


class Browser(Follower):
    """A follower that keeps neither frames nor entries. It stands at `seq`, and has been told everything since `since`.

    `begun`: how often it began anew, the first time included. `ends`: the codes its lines were closed with.
    `most_on_way`: how many entries came to it unacknowledged, at most; while it `holds`, it acknowledges none.
    It sends no ping, as no browser does.
    """

    subprotocols: Sequence[Subprotocol] = ()

    def __init__(self, script: Script, workspace: str, book: Book) -> None:
        self.book = book
        self.seq = self.since = self.begun = 0
        self.came: list[Came] = []
        self.ends: list[int] = []
        self.faults: list[str] = []
        self.holds = False
        self.on_way = self.most_on_way = 0
        super().__init__(script, workspace)

    def __enter__(self) -> Self:
        return self

    def caught_up(self, head: int, *, seconds: float = 30) -> None:
        until(lambda: self.seq >= head, seconds=seconds, what=f"entry {head}")

    def rests(self, since: float) -> bool:
        """Whether nothing has come for a while, which began at this moment or later."""
        return time.time() - max([since, *(came.at for came in self.came[-1:])]) > RESTS

    def let_go(self) -> None:
        """Acknowledge what was held back."""
        self.holds = False
        if self._line is not None:
            with contextlib.suppress(ConnectionClosed):
                self._acknowledge(self._line)

    def wrong(self, entries: Sequence[Json], snapshot: Json) -> list[str]:
        """What is wrong with what it shows, where this is the journal and that what the server shows."""
        raise NotImplementedError

    # The thread

    def _listen(self) -> None:
        if self._over.is_set():
            return
        told = {"Authorization": f"Bearer {self.script.token}"}
        address = f"ws://{self.script.host}:{self.script.port}{self._address()}"
        with connect(
            address, subprotocols=self.subprotocols, additional_headers=told, open_timeout=60, ping_interval=None
        ) as line:
            self._line = line
            self.connections += 1
            self.on_way = 0
            try:
                self._greet(line)
                for text in line:
                    if self._over.is_set():
                        return
                    self._take(line, json.loads(text))
            finally:
                if not self._over.is_set():
                    self.ends.append(line.close_code or CUT_OFF)

    def _address(self) -> str:
        raise NotImplementedError

    def _greet(self, line: ClientConnection) -> None:
        """Say what has to be said first."""

    def _begin(self, seq: int) -> None:
        """It was shown the whole as it is at `seq`."""
        self.seq = self.since = seq
        self.begun += 1
        self.on_way = 0

    def _moved(self, line: ClientConnection, seq: int) -> None:
        """It was told everything up to `seq`."""
        self.came.append(Came(self.seq, seq, time.time()))
        self.on_way += seq - self.seq
        self.most_on_way = max(self.most_on_way, self.on_way)
        self.seq = seq
        if not self.holds:
            self._acknowledge(line)

    def _acknowledge(self, line: ClientConnection) -> None:
        self.on_way = 0
        line.send(json.dumps({"type": "ack", "workspace": self.workspace, "seq": self.seq}))


class OnJournal(Browser):
    """At the journal socket, as scripts are: a snapshot first, folded with every entry after it."""

    subprotocols = (Subprotocol(SUBPROTOCOL),)
    state: Json

    def _address(self) -> str:
        place = f"?generation={self.generation}&after={self.seq}" if self.begun else ""
        return f"/ws/workspaces/{self.workspace}/{place}"

    def _take(self, line: ClientConnection, frame: Json) -> None:
        if frame["type"] == "snapshot":
            self.state, self.generation = frame["state"], frame["generation"]
            self._begin(frame["seq"])
        elif frame["type"] == "entries":
            seqs = [entry["seq"] for entry in frame["entries"]]
            if seqs != list(range(self.seq + 1, frame["seq"] + 1)):
                self.faults.append(f"behind entry {self.seq} came {seqs[:1]} to {seqs[-1:]}, {len(seqs)} of them")
            self.book.hear(frame["entries"])
            self.state = fold(self.state, frame["entries"])
            self._moved(line, frame["seq"])

    def wrong(self, entries: Sequence[Json], snapshot: Json) -> list[str]:
        same = digest(self.state) == snapshot["hash"]
        return self.faults + ([] if same else ["what it heard does not come to what the server shows"])


class OnPage(Browser):
    """At the pages' socket, as live.js is: it loads a page, and then merges the pieces of it that it is sent.

    Of a page it looks at the messages and the heading; what is loaded is read as a snapshot.
    """

    def __init__(self, script: Script, workspace: str, book: Book) -> None:
        self.messages: set[str] = set()
        self.heading = ""
        super().__init__(script, workspace, book)

    def _address(self) -> str:
        return "/ws/"

    def _greet(self, line: ClientConnection) -> None:
        if not self.begun:
            self._load()
        self._subscribe(line)

    def _load(self) -> None:
        found = self.script.get(f"/api/v1/workspaces/{self.workspace}/snapshot")
        self.generation = found["generation"]
        self.messages, self.heading = set(), found["state"]["workspace"]["name"]
        self._begin(found["seq"])

    def _subscribe(self, line: ClientConnection) -> None:
        place = {"generation": self.generation, "after": self.seq}
        line.send(json.dumps({"type": "subscribe", "workspace": self.workspace, **place}))

    def _take(self, line: ClientConnection, frame: Json) -> None:
        if frame["type"] == "reset":
            self._load()
            self._subscribe(line)
        elif frame["type"] == "fragments" and frame["seq"] > self.seq:
            self.messages.update(MESSAGE.findall(frame["html"]))
            self.heading = [self.heading, *HEADING.findall(frame["html"])][-1]
            self._moved(line, frame["seq"])

    def wrong(self, entries: Sequence[Json], snapshot: Json) -> list[str]:
        found = list(self.faults)
        posted = [entry for entry in entries if entry["type"] == "message.posted" and entry["seq"] > self.since]
        if missing := {entry["payload"]["message_id"] for entry in posted} - self.messages:
            found.append(f"{len(missing)} of {len(posted)} messages are not on the page")
        if self.heading != snapshot["state"]["workspace"]["name"]:
            found.append(f"the page is headed {self.heading!r}")
        return found
