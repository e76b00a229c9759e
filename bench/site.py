"""A web server of the product beside a benchmark, on the same database and Redis, and a token to come in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bench.environment import ROOT
from bench.swarm import cpu_of
from tests.run.servers import free_port

PROTOCOL = "clawgroups.journal.v1"


@dataclass(frozen=True)
class Site:
    port: int
    pid: int
    token: str

    def journal(self, workspace_id: UUID, after: int) -> list[str]:
        """Where the browsers of a workspace come in, as arguments for `bench.listeners`."""
        url = f"http://127.0.0.1:{self.port}/ws/workspaces/{workspace_id}/?generation=1&after={after}"
        return ["--url", url, "--token", self.token, "--protocol", PROTOCOL, "--after", str(after)]

    def cpu(self) -> float:
        return cpu_of(self.pid)

    def rss_mb(self) -> float:
        """What it holds in memory now, in MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def site() -> Iterator[Site]:
    """A running server; Django is set up, and people exist."""
    from django.contrib.auth.models import User  # noqa: PLC0415  (Django is set up first)

    from clawgroups.services import people  # noqa: PLC0415

    _, token = people.create_token(User.objects.get(username="owner"), name="bench")
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "CLAWGROUPS_BASE_URL": f"http://127.0.0.1:{port}"}
    command = [sys.executable, "-m", "clawgroups.server", "--host", "127.0.0.1", "--port", str(port)]
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        listening(port, child)
        yield Site(port, child.pid, token)
    finally:
        child.terminate()
        child.wait(30)


def listening(port: int, child: subprocess.Popen[bytes]) -> None:
    """Wait until this child of ours listens."""
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert child.poll() is None, "the server has ended"
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.05)
        else:
            return
