"""What a connector leaves behind for `status` and `logs`: a small file that says how it is, and a bounded log.

A lock that only the living hold says whether it runs: it goes with its process, however that ends, and no number of a
process that is long gone is taken for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
import urllib.parse
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

from agents.connector import private
from agents.connector.console import Console
from agents.connector.exits import BUSY, Wrong
from agents.connector.keys import state_dir
from agents.connector.log import Log

KEPT = 20
"""Connectors that have ended are remembered, the newest of them."""


class Hearer(Protocol):
    """Who is told what happens, as `Console` is."""

    def say(self, text: str) -> None:
        """A sentence of ours."""
        ...

    def noise(self, line: bytes) -> None:
        """A line of the agent that is not a message."""
        ...

    def write(self, data: bytes) -> None:
        """What the agent writes on its error stream."""
        ...


@dataclass(frozen=True)
class Standing:
    """How one connector is. Times are seconds since 1970."""

    id: str
    url: str
    name: str
    """What it is called on this machine, else what the server calls it, else its program."""
    program: str
    root: str
    pid: int
    since: float
    connected: float | None = None
    """Since when, None while it is not."""
    said: str = ""
    """The last sentence that told of something wrong."""
    seen: float = 0.0
    code: int | None = None
    """How it ended."""

    @property
    def host(self) -> str:
        """The server, in short."""
        return urllib.parse.urlsplit(self.url if "://" in self.url else f"https://{self.url}").netloc

    @property
    def log(self) -> Path:
        """Where its log is."""
        return folder() / f"{self.id}.log"

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        with suppress(OSError), (folder() / f"{self.id}.lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def folder() -> Path:
    """Where all this is kept."""
    return state_dir() / "connectors"


def identity(url: str, key: str) -> str:
    """What tells agents apart: the server and the key, of which nothing can be seen in it."""
    host = urllib.parse.urlsplit(url if "://" in url else f"https://{url}").netloc.lower()
    return hashlib.sha256(f"{host}\0{key}".encode()).hexdigest()[:12]


def known() -> list[Standing]:
    """Every connector that runs or has run here, the newest last."""
    found = [one for path in folder().glob("*.json") if (one := _read(path)) is not None]
    return sorted(found, key=lambda one: one.since)


def find(url: str, key: str) -> Standing | None:
    """The connector of this agent on this machine, if it has ever had one."""
    return _read(folder() / f"{identity(url, key)}.json")


class Keeper:
    """Passes on what a connector says, and notes it down. What cannot be noted stops nobody's work."""

    def __init__(self, standing: Standing, hearer: Hearer, log: Console | None, lock: int | None) -> None:
        self._standing = standing
        self._hearer = hearer
        self._log = log
        self._lock = lock
        self._last = ""

    def say(self, text: str) -> None:
        """See `Hearer`."""
        self._last = text
        self._hearer.say(text)
        if self._log is not None:
            self._log.say(text)

    def noise(self, line: bytes) -> None:
        """See `Hearer`."""
        self._hearer.noise(line)
        if self._log is not None:
            self._log.noise(line)

    def write(self, data: bytes) -> None:
        """See `Hearer`."""
        self._hearer.write(data)
        if self._log is not None:
            self._log.write(data)

    def connected(self, name: str) -> None:
        """The server has taken the key, and calls the agent so."""
        self._note(connected=time.time(), name=self._standing.name or name, said="")

    def lost(self, why: str) -> None:
        """There is no connection (any more)."""
        self._note(connected=None, said=why)

    def ended(self, code: int) -> None:
        """It is over, with this code; the next may begin."""
        self._note(connected=None, code=code, said=self._last if code else "")
        if self._log is not None:
            self._log.close()
        if self._lock is not None:
            os.close(self._lock)
        self._log, self._lock = None, None
        _forget_old()

    def _note(self, **news: Any) -> None:
        self._standing = replace(self._standing, seen=time.time(), **news)
        if self._log is not None:
            with suppress(OSError):
                _write(self._standing)


def keep(url: str, key: str, hearer: Hearer, *, name: str, program: str, root: Path) -> Keeper:
    """Begin the record of a connector, until it has `ended`. Raises Wrong where this agent is connected already."""
    mark = identity(url, key)
    standing = Standing(mark, url, name, program, str(root), os.getpid(), time.time())
    try:
        lock = _claim(mark)
    except OSError as problem:
        hearer.say(f"`clawgroups status` and `clawgroups logs` will not show this one: {problem}")
        return Keeper(standing, hearer, None, None)
    keeper = Keeper(standing, hearer, Console(Log(standing.log)), lock)
    keeper.lost("")
    return keeper


def _claim(mark: str) -> int:
    """The lock of this agent on this machine, as long as it stays open. Raises Wrong or OSError."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder() / f"{mark}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(lock)
    except BlockingIOError:
        os.close(lock)
        # Whoever has it may not have written anything yet.
        other = _read(folder() / f"{mark}.json")
        which = f" by process {other.pid}" if other is not None else ""
        raise Wrong(
            f"this agent is connected from this machine already{which}; end that one first "
            "(`clawgroups status` shows it, `clawgroups service remove` ends a service)",
            BUSY,
        ) from None
    except OSError:
        os.close(lock)
        raise
    return lock


def _lock(file: int) -> None:
    """Take the lock. Raises BlockingIOError where somebody keeps it, not where somebody only looked."""
    for last in (False, False, False, True):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if last:
                raise
            # `Standing.running` holds it for an instant.
            time.sleep(0.05)
        else:
            return


def _forget_old() -> None:
    # The files of a lock are left: one that is taken away while somebody opens it would lock nobody out.
    ended = [one for one in known() if not one.running]
    for one in ended[:-KEPT]:
        for path in (one.log, one.log.with_suffix(".log.1"), folder() / f"{one.id}.json"):
            with suppress(OSError):
                path.unlink()


def _write(standing: Standing) -> None:
    private.write(folder() / f"{standing.id}.json", json.dumps(asdict(standing), indent=1))


def _read(path: Path) -> Standing | None:
    with suppress(OSError, ValueError, TypeError):
        stored = json.loads(path.read_text("utf-8"))
        names = {field.name for field in fields(Standing)}
        # A newer version may have written more.
        return Standing(**{name: value for name, value in stored.items() if name in names})
    return None
