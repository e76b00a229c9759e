"""A message that is too long for the memory of a small program: it lies in a file, and is looked at bit by bit."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO

from agents.connector.keys import state_dir

LONG = 1024 * 1024
"""Bytes from which on a message lies in a file."""
PIECE = 256 * 1024
"""Bytes of one that are in memory at once."""
_BLANKS = b"\r\n \t"


def unnamed_file() -> IO[bytes]:
    """A file that only this process can open and that is gone with it. Raises OSError."""
    folder = state_dir()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Not in /tmp, which is memory on many machines.
    return tempfile.TemporaryFile(dir=folder)


class Spooled:
    """The first `size` bytes of a file of its own, which is gone with whoever held this last."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __del__(self) -> None:
        with suppress(OSError):
            self._file.close()

    def pieces(self, size: int = PIECE) -> Iterator[bytes]:
        """All of it, `size` bytes at a time. Raises OSError where the disk does not give back what it took."""
        for at in range(0, self._size, size):
            yield self._read(min(size, self._size - at), at)

    def whole(self) -> bytes:
        """All of it, in memory."""
        return self._read(self._size, 0)

    def stripped(self) -> Spooled:
        """The same without blanks at its end."""
        last = os.pread(self._file.fileno(), len(_BLANKS) * 16, max(0, self._size - len(_BLANKS) * 16))
        self._size -= len(last) - len(last.rstrip(_BLANKS))
        return self

    def _read(self, size: int, at: int) -> bytes:
        piece = os.pread(self._file.fileno(), size, at)
        if len(piece) != size:
            raise OSError("a file has become shorter that nobody else can open")
        return piece


Line = bytes | Spooled
"""A message, a line without its newline: in memory, or in a file if it is long."""


def pieces(line: Line) -> Iterator[bytes]:
    """A message, bit by bit."""
    if isinstance(line, Spooled):
        yield from line.pieces()
    else:
        yield from (line[at : at + PIECE] for at in range(0, len(line), PIECE))


def whole(line: Line) -> bytes:
    """A message, in memory."""
    return line.whole() if isinstance(line, Spooled) else line


def beginning(line: Line, size: int) -> bytes:
    """The first bytes of a message."""
    return next(line.pieces(size), b"") if isinstance(line, Spooled) else line[:size]


class Gathering:
    """Puts a message together from its parts. One that no file takes, on a disk that is full, stays in memory."""

    def __init__(self, longest: int = LONG, open_file: Callable[[], IO[bytes]] = unnamed_file) -> None:
        self._longest = longest
        self._open_file = open_file
        # Gives what it holds without a copy, which a list of parts would not.
        self._memory = io.BytesIO()
        self._file: IO[bytes] | None = None
        self._refused = False
        self.size = 0

    def add(self, part: bytes) -> None:
        """What comes next of it."""
        if self._file is None and not self._refused and self.size + len(part) > self._longest:
            self._begin_file()
        if self._file is None or not self._put(part):
            self._memory.write(part)
        self.size += len(part)

    def __del__(self) -> None:
        self.forget()

    def take(self) -> Line:
        """The message without blanks around it (in front of a long one they stay); the next one begins."""
        if self._file is None:
            line: Line = self._memory.getvalue().strip(_BLANKS)
        else:
            line, self._file = Spooled(self._file, self.size).stripped(), None
        self.forget()
        return line

    def beginning(self, size: int) -> bytes:
        """The first bytes of what is here."""
        return self._memory.getvalue()[:size] if self._file is None else os.pread(self._file.fileno(), size, 0)

    def forget(self) -> None:
        """Begin anew."""
        if self._file is not None:
            self._file.close()
        self._memory, self._file, self._refused, self.size = io.BytesIO(), None, False, 0

    def _begin_file(self) -> None:
        try:
            self._file = self._open_file()
        except OSError:
            self._refused = True
            return
        if self._put(self._memory.getvalue(), 0):
            self._memory = io.BytesIO()

    def _put(self, part: bytes, at: int | None = None) -> bool:
        """Write into the file; where that cannot be, have everything in memory again."""
        assert self._file is not None
        at, left = self.size if at is None else at, memoryview(part)
        try:
            while left:
                count = os.pwrite(self._file.fileno(), left, at)
                at, left = at + count, left[count:]
        except OSError:
            if self.size and not self._memory.getbuffer().nbytes:
                self._memory.write(os.pread(self._file.fileno(), self.size, 0))
            self._file.close()
            self._file, self._refused = None, True
            return False
        return True
