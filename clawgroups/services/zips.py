"""Looking into ZIP archives of others: what lies in them, and single members of a website, in bounded memory.

Nothing is unpacked to disk, and no more than so many bytes in memory: what an archive says of its sizes may be a lie.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

MOST_DIRECTORY = 4 * 1024 * 1024  # bytes of the archive's own list
MOST_MEMBER = 24 * 1024 * 1024
MOST_LISTED = 200
PIECE = 64 * 1024
# Others unpack a piece to any size at once.
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
END = b"PK\x05\x06"
FAR_END = b"PK\x06\x07"  # leads to a second list, for archives larger than are taken here
END_BYTES = 65_557  # with the longest comment


TOO_MUCH = "It unpacks to too much to be shown here. Download it, and open it in a program for such files."


class Unreadable(Exception):
    """This archive is not looked into; says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive, by what the archive says of it."""

    name: str
    size: int
    packed: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in an archive: the first of it, how much in all, and where its website begins, if it is one."""

    members: tuple[Member, ...]
    number: int
    unpacked: int
    site: str = ""


class Bounded(zipfile.ZipFile):
    """An archive of which no more than `left` bytes are unpacked, and of one member at once no more than `whole`.

    Raises `Unreadable` where somebody reads on.
    """

    def __init__(self, path: Path, *, left: int, whole: int) -> None:
        super().__init__(path)
        self.left, self.whole = left, whole

    def open(self, name: str | zipfile.ZipInfo, *given: Any, **more: Any) -> Any:
        """A member, to be read piece by piece."""
        info = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        if info.compress_type not in PACKED:
            raise NotImplementedError("packed in a way that cannot be bounded")
        return _Counted(super().open(info, *given, **more), self)

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        """A member as a whole."""
        with self.open(name, pwd=pwd) as content:
            found = content.read(self.whole + 1)
        if len(found) > self.whole:
            raise Unreadable(TOO_MUCH)
        return bytes(found)


class _Counted(io.RawIOBase):
    """A member that is unpacked in pieces, each counted."""

    def __init__(self, content: IO[bytes], archive: Bounded) -> None:
        self._content, self._archive = content, archive

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = bytearray()
        while size < 0 or len(found) < size:
            piece = self._content.read(PIECE if size < 0 else min(size - len(found), PIECE))
            if not piece:
                break
            self._archive.left -= len(piece)
            if self._archive.left < 0:
                raise Unreadable(TOO_MUCH)
            found += piece
        return bytes(found)

    def close(self) -> None:
        self._content.close()
        super().close()


@contextmanager
def opened(path: Path, *, left: int = MOST_MEMBER, whole: int = MOST_MEMBER) -> Iterator[Bounded]:
    """The archive, once it is sure that its list fits into memory. Raises `Unreadable`."""
    if _directory(path) > MOST_DIRECTORY:
        raise Unreadable("Its list of files is too long to be shown here.")
    try:
        with Bounded(path, left=left, whole=whole) as archive:
            yield archive
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, OSError, UnicodeDecodeError):
        raise Unreadable("It is damaged: its list of files cannot be read.") from None
    except (NotImplementedError, RuntimeError):
        raise Unreadable("It is locked with a password, or packed in a way that is not known here.") from None


def _directory(path: Path) -> int:
    """How long its list is by its own word."""
    with path.open("rb") as content:
        content.seek(max(0, path.stat().st_size - END_BYTES))
        end = content.read(END_BYTES)
    at = end.rfind(END)
    if at < 0 or len(end) < at + 22:
        raise Unreadable("It is damaged: its end is missing.")
    if end[max(at - 20, 0) :].startswith(FAR_END):
        return MOST_DIRECTORY + 1
    return int.from_bytes(end[at + 12 : at + 16], "little")


def listing(path: Path) -> Listing:
    """What lies in an archive. Raises `Unreadable`."""
    with opened(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        members = tuple(Member(info.filename, info.file_size, info.compress_size) for info in infos[:MOST_LISTED])
        unpacked = sum(info.file_size for info in infos)
        return Listing(members, len(infos), unpacked, _site(info.filename for info in infos))


def _site(names: Iterator[str]) -> str:
    """The page by which a website in an archive begins: an index at its top, or in its only folder."""
    found = [name for name in names if PurePosixPath(name).name.casefold() == "index.html"]
    found = [name for name in found if name.count("/") <= 1 and ".." not in name and not name.startswith("/")]
    return min(found, key=lambda name: (name.count("/"), name), default="")


def member(path: Path, name: str) -> bytes:
    """One file of an archive. Raises `KeyError` where there is none of this name, `Unreadable`."""
    with opened(path) as archive:
        if archive.getinfo(name).file_size > MOST_MEMBER:
            raise Unreadable(TOO_MUCH)
        return archive.read(name)
