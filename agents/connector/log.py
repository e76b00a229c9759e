"""The log of one connector: lines with their time, in two files of a bounded size."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LARGEST = 1024 * 1024
"""Bytes of the file that is written; the one before it is kept beside it."""
_POLL = 0.25


def earlier(path: Path) -> Path:
    """The file that was full."""
    return path.with_name(f"{path.name}.1")


class Log:
    """A stream for a `Console`. Readable by its owner only: what an agent writes may be private."""

    def __init__(self, path: Path, largest: int = LARGEST) -> None:
        self._path = path
        self._largest = largest
        self._at_start = True

    def write(self, data: bytes) -> None:
        """Add this, each line with its time. Raises OSError."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S ").encode()
        lines = data.splitlines(keepends=True)
        starts = [self._at_start, *([True] * (len(lines) - 1))]
        text = b"".join(stamp + line if start else line for start, line in zip(starts, lines, strict=False))
        self._at_start = data.endswith(b"\n")
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, text)
            full = os.fstat(file).st_size >= self._largest
        finally:
            os.close(file)
        if full:
            self._path.replace(earlier(self._path))

    def flush(self) -> None:
        """It is there already."""


def tail(path: Path, count: int) -> list[bytes]:
    """The last lines of a log."""
    last: deque[bytes] = deque(maxlen=count)
    for one in (earlier(path), path):
        try:
            with one.open("rb") as file:
                last.extend(file)
        except FileNotFoundError:
            continue
    return list(last)


def follow(path: Path) -> Iterator[bytes]:
    """What is added from this call on, through every change of files; never ends."""
    with suppress(FileNotFoundError):
        status = path.stat()
        return _added(path, status.st_ino, status.st_size)
    return _added(path, 0, 0)


def _added(path: Path, node: int, place: int) -> Iterator[bytes]:
    while True:
        # The rest of a file that was full meanwhile, then what came after it.
        for one in (earlier(path), path):
            with suppress(FileNotFoundError), one.open("rb") as file:
                now = os.fstat(file.fileno()).st_ino
                if one != path and now != node:
                    continue
                if now != node:
                    node, place = now, 0
                file.seek(place)
                if data := file.read():
                    place += len(data)
                    yield data
        time.sleep(_POLL)
