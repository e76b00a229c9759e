"""The whole application on our own server, as a process with a folder of its own."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.run.servers import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SETUP = """
import json
from django.core.management import call_command
from clawgroups.services import people
call_command("migrate", verbosity=0)
user = people.ensure_first_person()
print(json.dumps(people.create_token(user, name="test")[1]))
"""


@dataclass
class Server:
    """A running server and its first person's token."""

    process: subprocess.Popen[str]
    port: int
    token: str
    data: Path

    def said(self) -> str:
        """What it has logged so far."""
        return (self.data / "stderr").read_text(errors="replace")

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """Status, body (JSON where it is) and headers."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        said = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, data, {**said, **{k.replace("_", "-"): v for k, v in headers.items()}})
            answer = connection.getresponse()
            raw = answer.read()
            is_json = "json" in (answer.headers.get("Content-Type") or "") and not path.endswith("/content")
            return answer.status, json.loads(raw) if is_json else raw, answer.headers

    def socket(self, path: str, **options: Any) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}{path}"
        opened: ClientConnection = connect(url, additional_headers={"Authorization": f"Bearer {self.token}"}, **options)
        return opened


@contextmanager
def serving(data: Path) -> Iterator[Server]:
    """A server on a free port with everything of its own in `data`."""
    port = free_port()
    known = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    place = {"CLAWGROUPS_DATA": str(data), "PORT": str(port)}
    environment = {**known, **place, "CLAWGROUPS_BASE_URL": f"http://127.0.0.1:{port}"}

    def manage(*words: str) -> str:
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    token = json.loads(manage("shell", "--verbosity", "0", "-c", SETUP).splitlines()[-1])
    command = [sys.executable, "-m", "clawgroups.server", "--port", str(port), "--drain-seconds", "3"]
    with (data / "stderr").open("w") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("listening")
        yield Server(process, port, token, data)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
