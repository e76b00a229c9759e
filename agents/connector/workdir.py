"""The work directory of a session: what the server has comes in before a turn, what the agent made goes out
after.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

from agents.connector.backoff import retry_delay
from agents.connector.files import Rejected, RemoteFile, Store, TooLate, in_thread

TRIES = 5
MAX_FILE = 100 * 1024 * 1024
MAX_FILES = 1000
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
# Control characters, the other separator, and what stands for bytes that are not UTF-8.
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")
# Never somebody's deliverable, and thousands at a time.
_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__"})

T = TypeVar("T")
Fingerprint = tuple[int, int, str]


class BadName(ValueError):
    """A name that would lead out of the work directory, or that no file can have."""


class FetchFailed(Exception):
    """The inputs of a turn could not be brought here; the text says which and why."""


def check_name(name: str) -> PurePosixPath:
    """The relative path a file name means; sub-folders are written with `/`. Raises BadName."""
    if not name or len(name) > 1000 or _NOT_IN_NAMES.search(name):
        raise BadName(f"{name!r} is not a file name")
    parts = name.split("/")
    if any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts) or _DRIVE.match(name):
        raise BadName(f"{name!r} leads out of the work directory")
    return PurePosixPath(*parts)


@dataclass
class Workdir:
    """One session's folder. `known` is what both sides last agreed on: name -> SHA-256."""

    path: Path
    store: Store
    known: dict[str, str] = field(default_factory=dict)
    _hashes: dict[str, Fingerprint] = field(default_factory=dict)

    @classmethod
    def make(cls, root: Path, session: str, store: Store) -> Workdir:
        """The folder of a session below `root`, created when missing. Raises BadName or OSError."""
        if not _SESSION.fullmatch(session):
            raise BadName(f"{session!r} is not a session")
        path = (root / session).resolve()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(path, store)

    def place(self, name: str) -> Path:
        """Where a file lies, links in between included. Raises BadName when that is outside."""
        target = self.path / check_name(name)
        if not target.parent.resolve().is_relative_to(self.path):
            raise BadName(f"{name!r} leads out of the work directory")
        return target

    def digest(self, name: str) -> str | None:
        """The SHA-256 of a regular file here, None if there is none. Only re-read when the file has
        changed.
        """
        path = self.place(name)
        if path.is_symlink() or not path.is_file():
            return None
        status = path.stat()
        stored = self._hashes.get(name)
        if stored is not None and stored[:2] == (status.st_size, status.st_mtime_ns):
            return stored[2]
        with path.open("rb") as file:
            value = hashlib.file_digest(file, "sha256").hexdigest()
        self._hashes[name] = (status.st_size, status.st_mtime_ns, value)
        return value

    def outgoing(self) -> tuple[list[str], list[str]]:
        """New and changed files, sorted, and those that are beyond what is carried."""
        found: list[str] = []
        for folder, folders, names in os.walk(self.path, followlinks=False):
            folders[:] = sorted(one for one in folders if one[0] != "." and one not in _SKIPPED_FOLDERS)
            for name in names:
                path = Path(folder, name)
                if name[0] != "." and not path.is_symlink() and path.is_file():
                    found.append(path.relative_to(self.path).as_posix())
        changed = [name for name in sorted(found) if self._is_outgoing(name)]
        return changed[:MAX_FILES], changed[MAX_FILES:]

    def _is_outgoing(self, name: str) -> bool:
        try:
            small = self.place(name).stat().st_size <= MAX_FILE
            return small and self.digest(name) != self.known.get(name)
        except (BadName, OSError):
            # Gone again while we looked, or a name that the other side could not have.
            return False

    def take(self, remote: RemoteFile) -> None:
        """Bring one file here unless it is here. What the agent has not delivered yet is never lost."""
        target = self.place(remote.name)
        local = self.digest(remote.name)
        agreed = self.known.get(remote.name)
        if local == remote.sha256:
            self.known[remote.name] = remote.sha256
            return
        if local is not None and local != agreed and remote.sha256 == agreed:
            return  # Changed here only: it goes out after the next turn.
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{hashlib.sha256(target.name.encode()).hexdigest()[:16]}.part")
        try:
            self.store.download(remote, part)
            if local is not None and local != agreed:
                target.replace(target.with_name(f"{target.stem}.unsent-{local[:8]}{target.suffix}"))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        self.known[remote.name] = remote.sha256

    def give(self, name: str) -> None:
        """Send one file to the server and remember what was sent."""
        digest = self.digest(name)
        if digest is None:
            return
        try:
            self.store.upload(name, self.place(name))
        except TooLate:
            self.known[name] = digest
            raise
        self.known[name] = digest


@dataclass(frozen=True)
class Delivery:
    """What became of a turn's files, but for those that simply arrived."""

    failed: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sync:
    """Carries files with patience: up to five tries each, and none counted while there is no connection."""

    online: Callable[[], Awaitable[None]]
    scale: float = 1.0

    async def fetch(self, workdir: Workdir) -> None:
        """Everything the server has for a session is here afterwards. Raises FetchFailed."""
        name = "the list of files"
        try:
            for remote in await self._try(workdir.store.list):
                name = remote.name
                await self._try(lambda remote=remote: workdir.take(remote))  # type: ignore[misc]
        except (BadName, Rejected, OSError) as problem:
            raise FetchFailed(f"{name}: {problem}") from problem

    async def deliver(self, workdir: Workdir) -> Delivery:
        """Everything new or changed is on the server afterwards, but for what failed."""
        try:
            changed, failed = await in_thread(workdir.outgoing)
        except OSError:
            return Delivery(["."])
        delivery = Delivery(failed)
        for name in changed:
            try:
                await self._try(lambda name=name: workdir.give(name))  # type: ignore[misc]
            except TooLate:
                delivery.late.append(name)
            except (BadName, Rejected, OSError):
                delivery.failed.append(name)
        return delivery

    async def _try(self, work: Callable[[], T]) -> T:
        attempt = 0
        while True:
            attempt += 1
            await self.online()
            try:
                return await in_thread(work)
            except OSError:
                if attempt == TRIES:
                    raise
            await asyncio.sleep(retry_delay(attempt, self.scale))
