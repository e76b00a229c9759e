"""An outside script: the REST API with an access token, and the journal socket. Knows addresses, not code of ours."""

from __future__ import annotations

import contextlib
import http.client
import json
import mimetypes
import socket
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from tests.stories.waiting import Heard, until

Json = dict[str, Any]
SUBPROTOCOL = "clawgroups.journal.v1"
CLOSED = ("done", "failed", "cancelled")


@dataclass
class Answer:
    """A response: `json` where it is JSON, `bytes` always."""

    status: int
    headers: dict[str, str]
    bytes: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.bytes)


class Refused(Exception):
    """An answer of 400 or above where another one was asked for."""

    def __init__(self, request: str, answer: Answer) -> None:
        super().__init__(f"{request}: {answer.status} {answer.bytes[:500]!r}")
        self.answer = answer


class Script:
    """One client with one token."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        address = urlsplit(url)
        self.host, self.port = address.hostname or "", address.port or 80

    # Requests

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Json | None = None) -> Answer:
        """One request; any status is an answer."""
        told = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body, told)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def send(self, method: str, path: str, content: Any = None, *, key: str = "") -> Answer:
        """A write in JSON, with a key of its own unless one is given."""
        told = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid.uuid4())}
        return self.ask(method, path, json.dumps({} if content is None else content).encode(), told)

    def get(self, path: str) -> Any:
        return self._well("GET", path, self.ask("GET", path))

    def post(self, path: str, content: Any = None) -> Any:
        return self._well("POST", path, self.send("POST", path, content))

    def upload(self, path: str, fields: dict[str, str], files: Iterable[tuple[str, bytes]]) -> Answer:
        """A form with files."""
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        for name, content in files:
            kind = mimetypes.guess_type(name)[0] or "text/csv"
            head = f'Content-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
            parts.append(f"--{boundary}\r\n{head}".encode() + content + b"\r\n")
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        told = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Idempotency-Key": str(uuid.uuid4())}
        return self.ask("POST", path, body, told)

    @staticmethod
    def _well(method: str, path: str, answer: Answer) -> Any:
        if answer.status >= 400:
            raise Refused(f"{method} {path}", answer)
        return answer.json

    # What stories do again and again

    @staticmethod
    def json(content: Any) -> str:
        return json.dumps(content)

    def workspace(self, name: str) -> str:
        return str(self.post("/api/v1/workspaces", {"name": name, "goal": "Know the sales"})["id"])

    def give(self, workspace: str, goal: str, name: str, content: bytes) -> str:
        """Give a goal with one file and start it as soon as it is planned; the run."""
        path = f"/api/v1/workspaces/{workspace}/runs"
        answer = self.upload(path, {"goal": goal, "start": "true"}, [(name, content)])
        return str(self._well("POST", path, answer)["id"])

    def tasks(self, run: str) -> list[Json]:
        found: list[Json] = self.get(f"/api/v1/runs/{run}/tasks?limit=1000")["items"]
        return found

    def task(self, run: str, key: str) -> Json:
        """One task in full, by its key in the plan."""
        pk = next(task["id"] for task in self.tasks(run) if task["key"] == key)
        found: Json = self.get(f"/api/v1/tasks/{pk}")
        return found

    def first_text(self, attempt: str, *, seconds: float = 20) -> str:
        """Wait until an attempt has said something; what it has said so far."""
        return until(lambda: self.text_so_far(attempt), seconds=seconds, what=f"the first text of attempt {attempt}")

    def text_so_far(self, attempt: str) -> str:
        """What an attempt has said."""
        items = self.get(f"/api/v1/attempts/{attempt}/transcript")["items"]
        return "".join(item["text"] for item in items if item["kind"] == "text")

    def head(self, workspace: str) -> int:
        """The number of the last entry of a workspace's journal."""
        return int(self.get(f"/api/v1/workspaces/{workspace}/journal?limit=1")["head"])

    def files(self, run: str, kind: str) -> dict[str, bytes]:
        """The content of a run's files of one kind, by name."""
        rows = self.get(f"/api/v1/runs/{run}/artifacts?kind={kind}&limit=1000")["items"]
        return {row["name"]: self.ask("GET", row["url"]).bytes for row in rows}

    def journal(self, workspace: str) -> list[Json]:
        """All of it by REST, page by page."""
        entries: list[Json] = []
        while True:
            after = entries[-1]["seq"] if entries else 0
            page = self.get(f"/api/v1/workspaces/{workspace}/journal?after={after}&limit=100")
            entries += page["entries"]
            if not page["entries"]:
                return entries

    def reachable(self, *, seconds: float = 60) -> None:
        """Wait until the server answers again."""
        until(self._answers, seconds=seconds, what="the server")

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/healthz").status == 200
        except (OSError, http.client.HTTPException):
            return False


class Follower:
    """A client of the journal socket, in a thread: goes on where it was whenever the line is cut."""

    def __init__(self, script: Script, workspace: str, *, generation: int = 0, after: int = 0) -> None:
        self.script, self.workspace = script, workspace
        self.generation, self.after = generation, after
        self.frames: Heard[Json] = Heard("the journal socket")
        self.entries: Heard[Json] = Heard("the journal")
        self.connections = 0
        self._line: ClientConnection | None = None
        self._wanted = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._wanted.set()
        self._thread.start()

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._wanted.set()
        self._hang_up()
        self._thread.join(20)
        assert not self._thread.is_alive()

    @property
    def last(self) -> int:
        """The number of the last entry seen."""
        entries = self.entries.all()
        return int(entries[-1]["seq"]) if entries else 0

    def cut(self) -> None:
        """Cut the line and stay away until `back`."""
        self._wanted.clear()
        self._hang_up()

    def back(self) -> None:
        self._wanted.set()

    def until(self, type_: str, *, seconds: float = 60, after: int = 0, **payload: Any) -> Json:
        """The first entry behind number `after` of this type with this in its payload."""

        def fits(entry: Json) -> bool:
            said = entry["payload"]
            return (
                entry["seq"] > after
                and entry["type"] == type_
                and all(said.get(name) == value for name, value in payload.items())
            )

        return self.entries.until(fits, seconds=seconds, what=f"{type_} {payload or ''}")

    def caught_up(self, head: int, *, seconds: float = 30) -> None:
        self.entries.until(lambda entry: entry["seq"] >= head, seconds=seconds, what=f"entry {head}")

    def ended(self, run: str, *, seconds: float = 90) -> str:
        """Wait for the end of a run; its state."""

        def fits(entry: Json) -> bool:
            return entry["type"] in [f"run.{state}" for state in CLOSED] and entry["payload"]["run_id"] == run

        return str(self.entries.until(fits, seconds=seconds, what="the end of the run")["type"].removeprefix("run."))

    # The thread

    def _hang_up(self) -> None:
        line = self._line
        if line is not None:
            with contextlib.suppress(OSError):
                line.socket.shutdown(socket.SHUT_RDWR)

    def _follow(self) -> None:
        while not self._over.is_set():
            self._wanted.wait()
            try:
                self._listen()
            except (OSError, ConnectionClosed, InvalidHandshake, EOFError):
                self._over.wait(0.2)

    def _listen(self) -> None:
        if self._over.is_set():
            return
        place = {"after": self.last or self.after}
        query = urlencode({**place, "generation": self.generation} if self.generation else place)
        address = f"ws://{self.script.host}:{self.script.port}/ws/workspaces/{self.workspace}/?{query}"
        told = {"Authorization": f"Bearer {self.script.token}"}
        with connect(address, subprotocols=[SUBPROTOCOL], additional_headers=told, open_timeout=20) as line:  # type: ignore[list-item]
            assert line.subprotocol == SUBPROTOCOL
            self._line = line
            self.connections += 1
            for text in line:
                if not self._wanted.is_set() or self._over.is_set():
                    return
                self._take(line, json.loads(text))

    def _take(self, line: ClientConnection, frame: Json) -> None:
        self.frames.add(frame)
        if frame["type"] == "hello":
            self.generation = frame["generation"]
        elif frame["type"] == "entries":
            for entry in frame["entries"]:
                self.entries.add(entry)
            line.send(json.dumps({"type": "ack", "seq": frame["seq"]}))


def in_full(script: Script, run: str) -> list[Json]:
    """Every task of a run with its attempts."""
    return [script.get(f"/api/v1/tasks/{task['id']}") for task in script.tasks(run)]
