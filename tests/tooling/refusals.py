"""T12: everything that a start refuses, each tried on a real process.

`refusals()` gives a row per case, for the table of the chaos tests as well as for test_startup.py.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clawgroups.supervisor import valkey
from clawgroups.supervisor.say import REFUSAL
from tests.run.servers import free_port, redis

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("CLAWGROUPS_", "DATABASE_URL", "REDIS_URL", "CELERY_", "DJANGO_", "PORT", "EMAIL_URL", "DEBUG")
SECRET = "hU3n-8s_kQzX1r0vB6yTpLw9eJmFaCdG4i7oNxRbVtYu2"
ELSEWHERE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing", "CLAWGROUPS_SECRET_KEY": SECRET}
PLACE = {"CLAWGROUPS_SECRET_KEY": SECRET}
DEBUG_SETTINGS = "tests.tooling.debug_settings"
ANY_HOST = "https://*.example.org"

WEB = ("-m", "clawgroups.server", "--port", "{port}")
WORKER = ("-m", "celery", "-A", "clawgroups", "worker", "--pool", "threads", "--concurrency", "1", "-Q", "default")
PREFORK = ("-m", "celery", "-A", "clawgroups", "worker", "--pool", "prefork", "--concurrency", "1", "-Q", "default")
UP = ("manage.py", "up")
# A process whose client has lost its options, as after an upgrade of redis-py or a careless change.
STRIPPED = (
    "-c",
    "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'clawgroups.settings';"
    "from clawgroups import bus, startup; bus.SOCKET.clear(); bus.KEEPALIVE.clear(); startup.begin()",
)
STRIPPED_KOMBU = (
    "-c",
    "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'clawgroups.settings';"
    "from clawgroups import startup; from clawgroups.celery import app;"
    "app.conf.broker_transport_options = {'visibility_timeout': 600}; startup.begin()",
)


@dataclass(frozen=True)
class Case:
    """One thing that is wrong, who is started with it, and a part of what must be said."""

    name: str
    command: tuple[str, ...]
    says: str
    environment: Mapping[str, str] = field(default_factory=dict)


def cases(evicting: str, sound: str) -> list[Case]:
    """Every case; the two addresses are of a Redis that evicts and of one that does not."""
    url, evicts = {**PLACE, "REDIS_URL": sound}, {**PLACE, "REDIS_URL": evicting}
    path = "https://example.org/app"
    return [
        Case("web: no key", WEB, "Set CLAWGROUPS_SECRET_KEY"),
        Case("threads worker: no key", WORKER, "Set CLAWGROUPS_SECRET_KEY"),
        Case("prefork worker: no key", PREFORK, "Set CLAWGROUPS_SECRET_KEY"),
        Case("prefork worker: SQLite", PREFORK, "SQLite may not be carried over a fork", url),
        Case("web: evicting Redis", WEB, "maxmemory-policy is allkeys-lru", evicts),
        Case("worker: evicting Redis", WORKER, "maxmemory-policy is allkeys-lru", evicts),
        Case("up: evicting Redis", UP, "maxmemory-policy is allkeys-lru", evicts),
        Case("web: redis-py options", WEB, "socket_timeout", {**url, "REDIS_URL": f"{sound}?socket_timeout=5"}),
        Case("our client stripped", STRIPPED, "redis-py's own health_check_interval, retry, socket_connect", url),
        Case("kombu stripped", STRIPPED_KOMBU, "redis-py's own health_check_interval, socket_connect", url),
        Case("worker: other broker", WORKER, "CELERY_BROKER_URL", {**url, "CELERY_BROKER_URL": "redis://127.0.0.1:1/"}),
        Case("web: DEBUG settings", WEB, "DEBUG is on", {**PLACE, "DJANGO_SETTINGS_MODULE": DEBUG_SETTINGS}),
        Case("up: DEBUG variable", UP, "DEBUG is set", {**PLACE, "DEBUG": "1"}),
        Case("web: known secret", WEB, "everybody knows", {**ELSEWHERE, "CLAWGROUPS_SECRET_KEY": f"changeme{SECRET}"}),
        Case("worker: short secret", WORKER, "too short", {**ELSEWHERE, "CLAWGROUPS_SECRET_KEY": "s3cret"}),
        Case("web: origin of any host", WEB, "'https://*.example.org'", {**PLACE, "CLAWGROUPS_ORIGINS": ANY_HOST}),
        Case("up: origin with a path", UP, f"'{path}'", {**PLACE, "CLAWGROUPS_ORIGINS": path}),
        Case("worker: origin without scheme", WORKER, "'example.org'", {**PLACE, "CLAWGROUPS_ORIGINS": "example.org"}),
    ]


def refusals() -> list[tuple[str, str, bool]]:
    """Name, what was said, and whether that was one clear line and an end with a status other than zero."""
    with redis() as evicting, redis() as sound:
        configure(evicting, "CONFIG SET maxmemory-policy allkeys-lru")
        # Two side by side, as a small machine has cores.
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(attempt, cases(evicting, sound)))


def configure(url: str, command: str) -> None:
    """Say something to a Valkey on a Unix socket."""
    address = valkey.Address(path=Path(url.removeprefix("unix://")), port=0, password="")
    assert address.path is not None
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address.path))
        connection.sendall(f"{command}\r\n".encode())
        assert connection.recv(64) == b"+OK\r\n"


def attempt(case: Case) -> tuple[str, str, bool]:
    """Start a process with what is wrong in this case, and judge its end."""
    with a_folder() as data:
        try:
            done = start(case.command, data, case.environment)
        except subprocess.TimeoutExpired:
            return case.name, "(it went on running)", False
        listened = "listening on" in done.stdout or "Ready:" in done.stdout
        lines = done.stderr.splitlines()
        ok = done.returncode != 0 and not listened and len(lines) == 1
        line = lines[0] if lines else f"(nothing was said, status {done.returncode})"
        return case.name, line, ok and line.startswith(REFUSAL) and case.says in line


def start(
    command: tuple[str, ...], data: Path, environment: Mapping[str, str], *, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run one of our processes to its end, in an environment of nothing but what is given."""
    port = str(free_port())
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    return subprocess.run(
        [sys.executable, *(part.replace("{port}", port) for part in command)],
        cwd=ROOT,
        env={**kept, "CLAWGROUPS_DATA": str(data), "PORT": port, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@contextmanager
def a_folder() -> Iterator[Path]:
    """A data folder with a short path, since a Unix socket is to fit in."""
    folder = Path(tempfile.mkdtemp(prefix="claw-t12-"))
    (folder / "static").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    for name, line, ok in refusals():
        print("ok  " if ok else "FAIL", f"{name:40}", line)
