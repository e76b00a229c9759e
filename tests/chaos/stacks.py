"""Two whole installations behind one interface: everything on one machine, and a server for each part.

`Embedded` is `manage.py up` on SQLite and the Valkey wheel, as anybody starts it. `Servers` is what
compose.yaml runs: PostgreSQL with its real durability, Valkey, web, a prefork worker and the coordinator.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos.processes import Process, children_of, lives, python
from tests.run.servers import Postgres, Redis, free_port
from tests.stories.installation import OURS, Installation
from tests.stories.manage import Manager
from tests.stories.script import Script
from tests.stories.waiting import until

WORKER = ("-m", "celery", "-A", "clawgroups", "worker", "--without-mingle", "--without-gossip", "--loglevel", "WARNING")
PARTS = {
    "web": ("-m", "clawgroups.server", "--host", "127.0.0.1", "--drain-seconds", "15"),
    "worker": (*WORKER, "--pool", "prefork", "--concurrency", "2", "-Q", "default", "-n", "worker@%h"),
    "coordinator": (*WORKER, "--pool", "threads", "--concurrency", "8", "-Q", "coordinator", "-n", "coordinator@%h"),
}
SECRET = "chaos-" + "0123456789abcdef" * 4
LONGEST = 300.0  # seconds for a command or a start, on a machine that has much else to do


class Servers:
    """PostgreSQL, Valkey, web, worker and coordinator, each a process of ours."""

    name = "servers"
    workers = ("worker", "coordinator")

    def __init__(self, **settings: str) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="claw-chaos-"))
        self.postgres, self.redis = Postgres(quick=False), Redis()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        self.environment = {
            **kept,
            "CLAWGROUPS_DATA": str(self.data),
            "CLAWGROUPS_SECRET_KEY": SECRET,
            "CLAWGROUPS_BASE_URL": self.url,
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "PORT": str(port),
            **settings,
        }
        self.parts = {
            name: Process(name, python(*command), self.environment, self.data / f"{name}.log")
            for name, command in PARTS.items()
        }
        self._manager = Manager(self.environment)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def start(self) -> None:
        self.postgres.start()
        self.redis.start()
        self.manage("prepare")
        for part in self.parts.values():
            part.start()
        Script(self.url, "").reachable(seconds=LONGEST)

    def kill(self, part: str) -> list[int]:
        return self.parts[part].kill()

    def back(self, part: str) -> None:
        if not self.parts[part].runs:
            self.parts[part].start()

    def stop(self, part: str) -> float:
        """SIGTERM; the seconds it took to end."""
        return self.parts[part].stop()

    def pids(self) -> dict[str, int | None]:
        """The process that runs as each part; None where none does."""
        return {name: part.pid if part.runs else None for name, part in self.parts.items()}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        # A connection for each of the many looks costs more than the look.
        if self._connection is not None:
            with contextlib.suppress(psycopg.OperationalError):
                return self._connection.execute(sql).fetchall()
            self._connection.close()  # the server was stopped since
        self._connection = psycopg.connect(self.postgres.url, autocommit=True)
        return self._connection.execute(sql).fetchall()

    def manage(self, *arguments: str) -> str:
        return self._manager.run(arguments, seconds=LONGEST)

    def said(self, part: str) -> str:
        return self.parts[part].said()

    def remove(self) -> None:
        for part in self.parts.values():
            part.stop()
        self._manager.end()
        if self._connection is not None:
            self._connection.close()
        self.redis.remove()
        self.postgres.remove()
        shutil.rmtree(self.data, ignore_errors=True)


class Embedded:
    """`manage.py up`; its supervisor starts again what is killed."""

    name = "embedded"
    workers = ("worker",)

    def __init__(self, **settings: str) -> None:
        self._up = Installation(**settings)
        self.url, self.data, self.environment = self._up.url, self._up.data, self._up.environment
        self._killed: dict[str, int] = {}

    def start(self) -> None:
        self._up.start()

    def kill(self, part: str) -> list[int]:
        pid = self._up.pid(part)
        assert pid is not None, f"{part} does not run"
        children = children_of(pid)
        self._killed[part] = self._up.kill(part)
        return children

    def back(self, part: str) -> None:
        self._up.returned(part, self._killed[part])

    def pids(self) -> dict[str, int | None]:
        return {part: self._up.pid(part) for part in ("web", "worker", "agents")}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.data / "clawgroups.sqlite3", timeout=20)) as connection:
            return connection.execute(sql).fetchall()

    def manage(self, *arguments: str) -> str:
        return self._up.manage(*arguments, seconds=LONGEST)

    def said(self, part: str) -> str:
        return self._up.said(part)

    def remove(self) -> None:
        with contextlib.suppress(Exception):
            self._up.stop()
        self._up.remove()


Stack = Servers | Embedded
"""What a scenario breaks. `workers` are the parts that carry jobs."""

KINDS: dict[str, type[Servers] | type[Embedded]] = {"servers": Servers, "embedded": Embedded}


@contextlib.contextmanager
def running(kind: str, **settings: str) -> Iterator[Stack]:
    """A running installation, gone afterwards; on a failure the ends of its logs are printed."""
    stack = KINDS[kind](**settings)
    try:
        stack.start()
        yield stack
    except BaseException:
        for part in ("web", *stack.workers):
            print(f"== {part}\n" + "\n".join(stack.said(part).splitlines()[-25:]))
        raise
    finally:
        stack.remove()


def gone(pids: Sequence[int], *, seconds: float) -> None:
    """Wait until none of these processes lives any more."""
    until(lambda: not any(map(lives, pids)), seconds=seconds, what="the end of a killed process's children")
