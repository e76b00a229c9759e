"""The data folder and the address: everything that must hold before the first process is started."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from clawgroups.supervisor.say import CannotRun

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Place:
    """Where one installation lives and listens."""

    data: Path
    host: str
    port: int
    environment: dict[str, str]

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def runtime(self) -> Path:
        return self.data / "run"

    @property
    def builtin(self) -> Path:
        """The built-in agents' keys, written by `manage.py prepare` at first start."""
        return self.data / "builtin.json"

    @property
    def local_url(self) -> str:
        """The address at which this machine reaches the web process."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def read_place(environ: Mapping[str, str]) -> Place:
    """The place that the environment names; children inherit the environment with the defaults filled in."""
    try:
        port = int(environ.get("PORT") or "8000")
    except ValueError:
        raise CannotRun(f"PORT must be a number, not {environ['PORT']!r}.") from None
    if not 0 < port < 65536:
        raise CannotRun(f"PORT must be between 1 and 65535, not {port}.")
    data = Path(environ.get("CLAWGROUPS_DATA") or ROOT / "var").expanduser().absolute()
    base_url = environ.get("CLAWGROUPS_BASE_URL") or f"http://127.0.0.1:{port}"
    hosts = environ.get("CLAWGROUPS_ALLOWED_HOSTS") or urlsplit(base_url).hostname or ""
    environment = dict(environ)
    environment.update(
        PORT=str(port),
        CLAWGROUPS_DATA=str(data),
        CLAWGROUPS_BASE_URL=base_url,
        # The built-in agents and our own health check come in by the loopback address.
        CLAWGROUPS_ALLOWED_HOSTS=",".join(filter(None, [hosts, "127.0.0.1", "localhost", "[::1]"])),
        PYTHONUNBUFFERED="1",
    )
    return Place(data=data, host=environ.get("CLAWGROUPS_HOST") or "127.0.0.1", port=port, environment=environment)


def make_folders(place: Place) -> None:
    """Make the data folder, for its owner only."""
    try:
        for folder in (place.data, place.logs, place.runtime):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = place.runtime / f".probe-{os.getpid()}"
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        raise CannotRun(
            f"The data folder {place.data} cannot be written ({error.strerror}). Choose another with CLAWGROUPS_DATA."
        ) from None


def take_lock(place: Place, *, patience: float = 3.0) -> int:
    """Hold the data folder for this process and its children, and give the descriptor that holds it.

    Children inherit it, so that nobody starts beside what a killed supervisor has left; hence the patience.
    """
    descriptor = os.open(place.data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            if time.monotonic() > until:
                holder = os.pread(descriptor, 100, 0).decode(errors="replace").strip()
                os.close(descriptor)
                raise CannotRun(
                    f"Claw Groups is already running on {place.data} ({holder or 'by another process'})."
                ) from None
            time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()}, port {place.port}\n".encode(), 0)
    return descriptor


def check_port(place: Place) -> None:
    """Refuse a port that somebody listens on."""
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((place.host, place.port))
        except OSError as error:
            raise CannotRun(
                f"Port {place.port} on {place.host} cannot be used ({error.strerror}). "
                f"Choose another: PORT={place.port + 1}."
            ) from None


def make_secret(place: Place) -> None:
    """Make this installation's secret key at its first start, unless the environment gives one."""
    file = place.data / "secret.key"
    if place.environment.get("CLAWGROUPS_SECRET_KEY") or file.exists():
        return
    write_private(file, secrets.token_urlsafe(50))


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read; a crash leaves the old one or the new one."""
    draft = file.with_name(file.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:  # noqa: PTH123
        out.write(text + "\n")
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)


def python(*arguments: str) -> list[str]:
    """A command line of this very Python."""
    return [sys.executable, *arguments]
