"""`python -m bench.seats [--sockets 300]`: how soon what becomes of a seat counts on sockets that are open.

Starts the web server on SQLite, and opens as many pages' sockets of one person. Then an admin mutes the person, lowers
the role, and takes the seat away; the person signs a script out by revoking its token. Prints, as JSON, milliseconds
from before the deed was asked for until the sockets knew, and what was taken from them afterwards; it fails where the
last of them took longer than a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.realtime.real_server import ROOT, Server, serving

Json = dict[str, Any]
AT_ONCE = 50
LIMITS = {"muted": 1.0, "lowered": 1.0, "removed": 1.0, "token revoked": 1.0}
SETUP = """
import json
from django.contrib.auth.models import User
from clawgroups.services import people
user = User.objects.create_user("bob")
row, secret = people.create_token(user, name="pages")
print(json.dumps([str(row.pk), secret]))
"""
REVOKE = """
import time
from django.contrib.auth.models import User
from clawgroups.services import people
bob, began = User.objects.get(username="bob"), time.time()
people.revoke_token(bob, "{}")
print(began)
"""


@dataclass
class Stage:
    """A server, a workspace with bob in it, and his sockets."""

    server: Server
    workspace: str
    member: str
    pages: str
    sockets: list[ClientConnection]

    def call(self, method: str, path: str, body: Any = None) -> Json:
        """The owner's request, under the workspace."""
        status, said, _ = self.server.call(method, f"/api/v1/workspaces/{self.workspace}{path}", body)
        assert status < 300, (status, said)
        return dict(said)


def shell(server: Server, code: str) -> str:
    """What a management shell on the server's data says."""
    environment = {**os.environ, "CLAWGROUPS_DATA": str(server.data)}
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", code]
    options: Json = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run(command, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def opened(stage: Stage, number: int) -> None:
    """Open sockets that follow the workspace, until there are so many."""
    head = stage.call("GET", "/journal?limit=1")["head"]
    frame = {"type": "subscribe", "workspace": stage.workspace, "generation": 1, "after": head}

    async def one() -> ClientConnection:
        url = f"ws://127.0.0.1:{stage.server.port}/ws/"
        socket = await connect(url, additional_headers={"Authorization": f"Bearer {stage.pages}"}, open_timeout=120)
        await socket.send(json.dumps(frame))
        await until(socket, "hello")
        return socket

    while len(stage.sockets) < number:
        few = min(AT_ONCE, number - len(stage.sockets))
        stage.sockets += await asyncio.gather(*(one() for _ in range(few)))


async def until(socket: ClientConnection, type_: str) -> Json:
    """The next frame of this type."""
    while True:
        frame: Json = json.loads(await socket.recv())
        if frame["type"] == type_:
            return frame


async def knows(socket: ClientConnection, type_: str) -> float:
    """When the socket was told to begin anew (`type_`), or was closed."""
    with contextlib.suppress(ConnectionClosed):
        await until(socket, type_)
    return time.time()


async def measured(stage: Stage, what: str, deed: Callable[[], Any], after: Callable[[], Awaitable[int]]) -> Json:
    """How soon all sockets know of a deed, and how many frames were taken from them afterwards."""
    waiting = [asyncio.create_task(knows(socket, "reset")) for socket in stage.sockets]
    began = time.time()
    said = await asyncio.to_thread(deed)
    # A shell takes a while to start, and says when it began.
    began = float(said.splitlines()[-1]) if isinstance(said, str) else began
    took = sorted(at - began for at in await asyncio.wait_for(asyncio.gather(*waiting), 60))
    found = {"median": median(took), "last": took[-1]}
    return {
        "what": what,
        "sockets": len(took),
        **{name: round(1000 * seconds) for name, seconds in found.items()},
        "taken after": await after(),
        "within": took[-1] <= LIMITS[what],
    }


async def taken(stage: Stage) -> int:
    """Of how many sockets word that somebody types is taken, or which do not answer that it is not."""

    async def one(socket: ClientConnection) -> bool:
        await socket.send(json.dumps({"type": "typing", "workspace": stage.workspace}))
        return bool((await until(socket, "error"))["code"] != "muted")

    return sum(await asyncio.gather(*(one(socket) for socket in stage.sockets)))


async def still_open(stage: Stage) -> int:
    """How many sockets take anything yet."""
    return sum(socket.close_code is None for socket in stage.sockets)


async def nothing() -> int:
    """Where what is taken afterwards is a guest's as well."""
    return 0


async def played(stage: Stage, number: int, token: str) -> list[Json]:
    """All of it, one after another."""
    here, found = f"/members/{stage.member}", []
    await opened(stage, number)
    found.append(await measured(stage, "muted", lambda: stage.call("POST", f"{here}/mute"), lambda: taken(stage)))
    await anew(stage, number)
    lower = {"role": "guest"}
    found.append(await measured(stage, "lowered", lambda: stage.call("PATCH", here, lower), nothing))
    await anew(stage, number)
    found.append(await measured(stage, "removed", lambda: stage.call("DELETE", here), lambda: still_open(stage)))
    stage.sockets.clear()
    stage.call("POST", "/members", {"user": "bob"})
    await opened(stage, number)
    revoke = REVOKE.format(token)
    found.append(await measured(stage, "token revoked", lambda: shell(stage.server, revoke), lambda: still_open(stage)))
    return found


async def anew(stage: Stage, number: int) -> None:
    """Other sockets, which have not been told anything."""
    await asyncio.gather(*(socket.close() for socket in stage.sockets))
    stage.sockets.clear()
    await opened(stage, number)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.seats", description=__doc__)
    parser.add_argument("--sockets", type=int, default=300)
    told = parser.parse_args(given)
    os.environ.setdefault("CLAWGROUPS_SECRET_KEY", "only-for-measuring-0123456789-abcdefghijklmnop")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        token_id, pages = json.loads(shell(server, SETUP).splitlines()[-1])
        _, made, _ = server.call("POST", "/api/v1/workspaces", {"name": "Sockets"})
        stage = Stage(server, str(made["id"]), "", pages, [])
        stage.member = stage.call("POST", "/members", {"user": "bob"})["id"]
        found = asyncio.run(played(stage, told.sockets, token_id))
    print(json.dumps(found, indent=1))
    return 0 if all(one["within"] and not one["taken after"] for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
