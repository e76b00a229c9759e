"""Where contestants run: servers of their own, databases that nobody used before, and an environment for the peers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.swarm import BEGUN, cpu_of, descendants
from tests.run.servers import Postgres, Redis

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-bench"
LOCK = ROOT / "requirements" / "bench.txt"
Figures = dict[str, float]


class Failed(Exception):
    """A contestant did not finish; the text holds the end of what it said."""


@dataclass(frozen=True)
class Contestant:
    """A program. `needs`: "postgres", "folder", "redis" or nothing; `tables`: with the product's tables in it.

    `peer`: it runs in the peers' environment.
    """

    name: str
    module: str
    needs: str = ""
    tables: bool = False
    peer: bool = False
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


def peers_python() -> str:
    """The peers' Python; makes their environment from its lock where it is missing."""
    python, stamp = PEERS / "bin" / "python", PEERS / "bench.stamp"
    if not stamp.exists() or stamp.read_text() != LOCK.read_text():
        print("installing the peers, once", file=sys.stderr)
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", "--clear", PEERS], check=True)
        options = ["--python", str(python), "--require-hashes", "-r", str(LOCK)]
        subprocess.run([uv, "pip", "install", "-q", *options], check=True)
        stamp.write_text(LOCK.read_text())
    return str(python)


class Arena:
    """The servers of a whole run; each start of a contestant gets a fresh database or folder.

    The product's tables are made once, in `folder` and in a database, and copied for each start.
    """

    def __init__(self, postgres: Postgres, redis: Redis, folder: Path) -> None:
        self._postgres, self._redis, self._folder = postgres, redis, folder
        self._databases = 0
        self._made: set[str] = set()

    def run(self, one: Contestant, *, steps: int, seed: int, limit: float = 600) -> Figures:
        """Run a contestant once. What it tells, with `cpu`: seconds of CPU of it, its children and the database.

        Raises `Failed`.
        """
        with ExitStack() as stack:
            # What a contestant names itself counts; a small run makes it small, too.
            told = ["--seed", str(seed), *_sized(one.arguments, steps)]
            if one.needs == "postgres":
                told += ["--database", self._fresh_database(tables=one.tables)]
            elif one.needs == "folder":
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="claw-bench-"))
                if one.tables:
                    self._make(str(self._folder))
                    shutil.copytree(self._folder, folder, dirs_exist_ok=True)
                told += ["--database", folder]
            environment = {
                **_without_an_installation(),
                "CLAWGROUPS_DATA": stack.enter_context(tempfile.TemporaryDirectory(prefix="claw-bench-")),
                "BENCH_REDIS": self._redis.url,
                "PYTHONWARNINGS": "ignore",
                **dict(one.environment),
            }
            python = peers_python() if one.peer else sys.executable
            command = [python, "-m", one.module, *told]
            return self._watched(one, command, environment, limit)

    def _watched(self, one: Contestant, command: list[str], environment: dict[str, str], limit: float) -> Figures:
        pipe = subprocess.PIPE
        child = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=pipe, stderr=pipe)
        clock = threading.Timer(limit, child.kill)
        clock.start()
        lines: list[str] = []
        before = self._server_cpu()
        try:
            assert child.stdout is not None
            for line in child.stdout:
                if line.strip() == BEGUN:
                    before = self._server_cpu()
                lines.append(line)
            after = self._server_cpu()
            assert child.stderr is not None
            lines.append(child.stderr.read())
        finally:
            clock.cancel()
            child.kill()
            child.wait()
        told = [line for line in lines if line.startswith("{")]
        if not told:
            raise Failed(f"{one.name}: {''.join(lines)[-2000:]}")
        found: Figures = json.loads(told[-1])
        return {**found, "cpu": found["process_cpu"] + after - before}

    def _fresh_database(self, *, tables: bool) -> str:
        self._databases += 1
        server, name = self._postgres.url.rpartition("/")[0], f"bench_{self._databases}"
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS bench_{self._databases - 1} WITH (FORCE)")
            if tables and f"{server}/product" not in self._made:
                connection.execute("CREATE DATABASE product")
                self._make(f"{server}/product")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {'product' if tables else 'template1'}")
        return f"{server}/{name}"

    def _make(self, database: str) -> None:
        """The product's tables in a database or folder, where they are not yet."""
        if database not in self._made:
            command = [sys.executable, "-m", "bench.crew", database]
            subprocess.run(command, cwd=ROOT, env=_without_an_installation(), check=True)
            self._made.add(database)

    def _server_cpu(self) -> float:
        # Of a process that ends meanwhile, as those of a connection do now, nobody would count what it took.
        while True:
            pids = self._server_pids()
            spent = sum(map(cpu_of, pids))
            if self._server_pids() == pids:
                return spent

    def _server_pids(self) -> list[int]:
        pids = [pid for pid in (self._postgres.pid, self._redis.pid) if pid is not None]
        return [*pids, *(child for pid in pids for child in descendants(pid))]


def _without_an_installation() -> dict[str, str]:
    """Our environment, without what names the caller's own installation."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("CLAWGROUPS_", "DATABASE_"))}


@contextmanager
def arena() -> Iterator[Arena]:
    """PostgreSQL with its real durability, and Valkey as the product runs it."""
    postgres, redis = Postgres(quick=False), Redis()
    try:
        postgres.start()
        redis.start()
        with tempfile.TemporaryDirectory(prefix="claw-bench-") as folder:
            yield Arena(postgres, redis, Path(folder))
    finally:
        redis.remove()
        postgres.remove()


def _sized(arguments: tuple[str, ...], steps: int) -> list[str]:
    if "--steps" not in arguments:
        return [*arguments, "--steps", str(steps)]
    at = arguments.index("--steps") + 1
    return [*arguments[:at], str(min(int(arguments[at]), steps)), *arguments[at + 1 :]]
