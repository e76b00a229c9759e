"""A folder out of which nothing leads: no name, and no link that somebody puts into it, not even meanwhile.

An agent may be locked up better than the connector is; it must not be able to have the connector read or write for it
what it cannot reach itself. So every folder on the way to a file is opened by itself and no link is followed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import BinaryIO

DEEPEST = 40
MOST_SEEN = 200_000
# Control characters, the other separator, and what stands for bytes that are not UTF-8.
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Non-blocking: what looks like a file may have become a pipe that nobody writes to.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class BadName(ValueError):
    """A name that would lead out of the work directory, or that no file can have."""


def check_name(name: str) -> PurePosixPath:
    """The relative path a file name means; sub-folders are written with `/`. Raises BadName."""
    if not name or len(name) > 1000 or _NOT_IN_NAMES.search(name):
        raise BadName(f"{name!r} is not a file name")
    parts = name.split("/")
    if any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts) or _DRIVE.match(name):
        raise BadName(f"{name!r} leads out of the work directory")
    return PurePosixPath(*parts)


@dataclass
class Listing:
    """The regular files of a folder and its folders, by name; `is_cut` where there were more than anybody looks at."""

    files: dict[str, os.stat_result] = field(default_factory=dict)
    is_cut: bool = False


@dataclass(frozen=True)
class Folder:
    """A folder whose files are named by relative paths. Everything here raises BadName or OSError."""

    path: Path

    def status(self, name: str) -> os.stat_result | None:
        """What a regular file is like, None where there is none."""
        try:
            with self._holding(name) as (holder, last):
                found = os.stat(last, dir_fd=holder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def open(self, name: str) -> BufferedReader:
        """A regular file, to be read."""
        with self._holding(name) as (holder, last):
            try:
                descriptor = os.open(last, _READ, dir_fd=holder)
            except OSError as problem:
                raise _clearer(problem, name) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise BadName(f"{name!r} is no regular file")
        return os.fdopen(descriptor, "rb")

    @contextmanager
    def replacing(self, name: str, part: str, *, aside: str | None = None) -> Iterator[BinaryIO]:
        """Write a file beside its place, as `part`; it takes the place when the block ends well. Folders are made.

        What was in the place goes `aside` under that name first, if one is given.
        """
        with self._holding(name, make=True) as (holder, last):
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=holder)
            try:
                with os.fdopen(os.open(part, _WRITE, 0o666, dir_fd=holder), "wb") as file:
                    yield file
                if aside is not None:
                    os.rename(last, aside, src_dir_fd=holder, dst_dir_fd=holder)
                os.rename(part, last, src_dir_fd=holder, dst_dir_fd=holder)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(part, dir_fd=holder)

    def listing(self, ignores: Callable[[str, bool], bool]) -> Listing:
        """All regular files but those for which `ignores(name, is_folder)`, which is not asked below a folder."""
        found, seen = Listing(), 0
        top = os.fspath(self.path)
        if not os.path.lexists(top):
            return found
        for folder, folders, names, descriptor in os.fwalk(top, follow_symlinks=False):
            here = os.path.relpath(folder, top).replace(os.sep, "/")
            above = "" if here == "." else f"{here}/"
            seen += len(folders) + len(names)
            is_deep = above.count("/") >= DEEPEST
            found.is_cut = found.is_cut or seen > MOST_SEEN or (is_deep and bool(folders))
            wanted = [] if is_deep else sorted(one for one in folders if not ignores(above + one, True))
            folders[:] = wanted
            for name in names[: max(0, MOST_SEEN - len(found.files))]:
                if not ignores(above + name, False):
                    with suppress(OSError):  # gone again
                        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                        if stat.S_ISREG(status.st_mode):
                            found.files[above + name] = status
            if seen > MOST_SEEN:
                break
        return found

    @contextmanager
    def _holding(self, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The open folder that a name lies in, and the name's last part."""
        *above, last = check_name(name).parts
        if make:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        holder = os.open(self.path, _FOLDER)
        try:
            for part in above:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=holder)
                try:
                    inner = os.open(part, _FOLDER, dir_fd=holder)
                except OSError as problem:
                    raise _clearer(problem, name) from None
                os.close(holder)
                holder = inner
            yield holder, last
        finally:
            os.close(holder)


def _clearer(problem: OSError, name: str) -> Exception:
    """A link (or a file where a folder should be) on the way is told as a name that leads out."""
    if problem.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
        return BadName(f"{name!r} leads out of the work directory: something on the way is no folder of it")
    return problem
