"""The work directory of a session: what the server has comes in before a turn, what the agent made goes out
after.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

from agents.connector.backoff import retry_delay
from agents.connector.files import Rejected, RemoteFile, Store, TooLate, in_thread
from agents.connector.git import GitFault
from agents.connector.ignoring import USUAL, Ignore
from agents.connector.inside import MOST_SEEN, BadName, Folder, check_name
from agents.connector.machine import is_ours, sentence
from agents.connector.worktree import FILES, Worktree

TRIES = 5
MAX_FILE = 100 * 1024 * 1024
MAX_FILES = 1000
PATCH = "changes.patch"

T = TypeVar("T")
Fingerprint = tuple[int, int, str]


class FetchFailed(Exception):
    """The inputs of a turn could not be brought here; the text says which and why."""


@dataclass(frozen=True)
class Source:
    """A file that may go out: what the server calls it, where it lies, and under which key of what its hash is."""

    name: str
    folder: Folder
    path: str
    agreed: dict[str, str] = field(repr=False)
    key: str


@dataclass
class Outgoing:
    """What goes out after a turn, what of it cannot, by name, and why if that is not because of its size."""

    files: list[Source] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)


@dataclass
class Workdir:
    """One session's folder. `known` is what both sides last agreed on: path -> SHA-256.

    With a worktree, the agent works in that: `path` is the folder in it where the task's files lie, and `sent` is what
    the server was last given of the repository's. `patterns` are what the owner keeps back.
    """

    path: Path
    store: Store
    patterns: tuple[str, ...] = ()
    tree: Worktree | None = None
    known: dict[str, str] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    _hashes: dict[Path, Fingerprint] = field(default_factory=dict)

    @property
    def cwd(self) -> Path:
        """Where the agent works."""
        return self.path if self.tree is None else self.tree.path

    def mark(self, *, is_settled: bool) -> None:
        """Remember beyond the end of this program whether there may be work here that the server does not have."""
        if self.tree is not None:
            self.tree.mark(is_settled=is_settled, sent=self.sent)

    def leave(self) -> None:
        """The program ends, or the agent does: whoever comes next may have the folder."""
        if self.tree is not None:
            self.tree.hold.release()

    def outgoing(self) -> Outgoing:
        """New and changed files, sorted, and those that are beyond what is carried."""
        found = Outgoing()
        mine = list(self._own(found))
        if self.tree is not None:
            try:
                its = self._of_tree(self.tree, found)
            except (GitFault, OSError) as problem:
                its = {}
                found.beyond.append(PATCH)
                found.why.append(f"the changes of the repository could not be collected: {sentence(problem)}")
            mine = [_renamed(one) if one.name in its else one for one in mine] + list(its.values())
        mine.sort(key=lambda one: (one.name != PATCH, one.name))
        changed = [one for one in mine if self._is_outgoing(one, found)]
        found.files = changed[:MAX_FILES]
        found.beyond += [one.name for one in changed[MAX_FILES:]]
        return found

    def take(self, remote: RemoteFile) -> None:
        """Bring one file here unless it is here. What the agent has not delivered yet is never lost."""
        if self.sent.get(remote.name) == remote.sha256:
            return  # The repository has it already.
        source = self._source(remote.name)
        local, agreed = self._digest(source), self.known.get(remote.name)
        if local == remote.sha256:
            self.known[remote.name] = remote.sha256
            return
        if local is not None and local != agreed and remote.sha256 == agreed:
            return  # Changed here only: it goes out after the next turn.
        place = PurePosixPath(remote.name)
        part = f".{hashlib.sha256(place.name.encode()).hexdigest()[:16]}.part"
        is_unsent = local is not None and local != agreed
        aside = f"{place.stem}.unsent-{(local or '')[:8]}{place.suffix}" if is_unsent else None
        with source.folder.replacing(remote.name, part, aside=aside) as out:
            self.store.download(remote, out)
        self.known[remote.name] = remote.sha256

    def give(self, source: Source) -> None:
        """Send one file to the server and remember what was sent."""
        digest = self._digest(source)
        if digest is None:
            return
        try:
            with source.folder.open(source.path) as file:
                self.store.upload(source.name, file)
        except TooLate:
            source.agreed[source.key] = digest
            raise
        source.agreed[source.key] = digest

    def _source(self, name: str) -> Source:
        return Source(name, Folder(self.path), name, self.known, name)

    def _own(self, found: Outgoing) -> Iterator[Source]:
        ignore = Ignore((*USUAL, *self.patterns))
        listing = Folder(self.path).listing(lambda name, is_folder: ignore.ignores(name, is_folder=is_folder))
        if listing.is_cut:
            found.beyond.append(f"(what is beyond {MOST_SEEN} files, or very deep)")
        yield from map(self._source, listing.files)

    def _of_tree(self, tree: Worktree, found: Outgoing) -> dict[str, Source]:
        """The changed files of the repository, and all changes as one patch."""
        ignore, folder = Ignore(self.patterns), Folder(tree.path)
        changed = [name for name in tree.changed() if not ignore.hides(name)]
        found.beyond += [name for name in changed if name.endswith("/")]
        sizes = {name: _size(folder, name) for name in changed if not name.endswith("/")}
        carried = [name for name, size in sizes.items() if size <= MAX_FILE][:MOST_SEEN]
        if not sizes and not self.sent:
            return {}
        no_text = tree.write_patch(carried)
        # The patch has what is text; where there is too much, the others go first.
        here = sorted((name for name, size in sizes.items() if size >= 0), key=lambda name: name not in no_text)
        # Once delivered and as it was again since: the server shall not keep what was in between.
        again = [name for name in self.sent if name != PATCH and name not in sizes and _size(folder, name) >= 0]
        its = {name: Source(name, folder, name, self.sent, name) for name in [*here[: MAX_FILES - 1], *again]}
        if tree.patch_file.stat().st_size or PATCH in self.sent:
            its[PATCH] = Source(PATCH, Folder(tree.patch_file.parent), tree.patch_file.name, self.sent, PATCH)
        return its

    def _is_outgoing(self, source: Source, found: Outgoing) -> bool:
        try:
            check_name(source.name)
            size, agreed = _size(source.folder, source.path), source.agreed.get(source.key)
            if size > MAX_FILE and agreed is None:
                found.beyond.append(source.name)  # and not read to the end for it
                return False
            is_new = size >= 0 and self._digest(source) != agreed
            if is_new and size > MAX_FILE:
                found.beyond.append(source.name)
            return is_new and size <= MAX_FILE
        except BadName:
            found.beyond.append("".join(one if one.isprintable() else "?" for one in source.name)[:200])
            return False
        except OSError:
            return False  # Gone again while we looked.

    def _digest(self, source: Source) -> str | None:
        """The SHA-256 of a regular file here, None if there is none. Only re-read when the file has
        changed.
        """
        status, at = source.folder.status(source.path), source.folder.path / source.path
        if status is None:
            return None
        stored = self._hashes.get(at)
        if stored is not None and stored[:2] == (status.st_size, status.st_mtime_ns):
            return stored[2]
        with source.folder.open(source.path) as file:
            value = hashlib.file_digest(file, "sha256").hexdigest()
        self._hashes[at] = (status.st_size, status.st_mtime_ns, value)
        return value


def _size(folder: Folder, name: str) -> int:
    """The size of a regular file, -1 where there is none, or none that the server could have."""
    try:
        status = folder.status(name)
    except (BadName, OSError):
        return -1
    return -1 if status is None else status.st_size


def _renamed(source: Source) -> Source:
    return replace(source, name=f"{FILES}/{source.name}")


@dataclass(frozen=True)
class Delivery:
    """What became of a turn's files, but for those that simply arrived; `why` says what was wrong here, if anything."""

    failed: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sync:
    """Carries files with patience: up to five tries each, and none counted while there is no connection."""

    online: Callable[[], Awaitable[None]]
    scale: float = 1.0

    async def fetch(self, workdir: Workdir) -> None:
        """Everything the server has for a session is here afterwards. Raises FetchFailed."""
        name = "the list of files"
        try:
            if workdir.tree is not None:
                await in_thread(workdir.tree.make_ready)
            for remote in await self._try(workdir.store.list):
                name = remote.name
                await self._try(lambda remote=remote: workdir.take(remote))  # type: ignore[misc]
            if workdir.tree is not None:
                name = "the worktree"
                await in_thread(lambda: workdir.mark(is_settled=False))
        except (BadName, Rejected, OSError) as problem:
            raise FetchFailed(f"{name}: {sentence(problem)}") from problem

    async def deliver(self, workdir: Workdir) -> Delivery:
        """Everything new or changed is on the server afterwards, but for what failed."""
        try:
            outgoing = await in_thread(workdir.outgoing)
        except OSError as problem:
            return Delivery(["."], why=[f"its work could not be collected: {sentence(problem)}"])
        delivery = Delivery(outgoing.beyond, why=outgoing.why)
        for source in outgoing.files:
            try:
                await self._try(lambda source=source: workdir.give(source))  # type: ignore[misc]
            except TooLate:
                delivery.late.append(source.name)
            except (BadName, Rejected, OSError) as problem:
                delivery.failed.append(source.name)
                delivery.why.append(f"{source.name}: {sentence(problem)}")
        if workdir.tree is not None:
            try:
                await in_thread(lambda: workdir.mark(is_settled=not delivery.failed))
            except OSError as problem:
                delivery.why.append(f"the worktree: {sentence(problem)}")
        return delivery

    async def _try(self, work: Callable[[], T]) -> T:
        attempt = 0
        while True:
            attempt += 1
            await self.online()
            try:
                return await in_thread(work)
            except OSError as problem:
                if attempt == TRIES or is_ours(problem):
                    raise
            await asyncio.sleep(retry_delay(attempt, self.scale))
