"""What the agent has said and the server has not yet confirmed. No waiting: numbers, bytes, and a file for many."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from agents.connector.spool import Line, Spooled, unnamed_file, whole

CAPACITY = 64 * 1024 * 1024
IN_MEMORY = 1024 * 1024
"""Bytes of frames that are held in memory; what comes on top lies in a file until it is sent."""


class UnknownPosition(ValueError):
    """The server names a position this outbox never had or no longer holds."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A frame that lies in the file."""

    at: int
    size: int

    def __len__(self) -> int:
        return self.size


class Outbox:
    """Frames numbered 1, 2, 3... in the order they were added, kept until they are acknowledged.

    Every frame that is not a `_clawgroups/*` notification gets a number, and the server counts the same
    way, so the numbers need not travel. `open_file` is called when there is more than belongs into memory.
    """

    def __init__(
        self, capacity: int = CAPACITY, memory: int = IN_MEMORY, open_file: Callable[[], IO[bytes]] = unnamed_file
    ) -> None:
        self._capacity = capacity
        self._memory = memory
        self._open_file = open_file
        self._file: IO[bytes] | None = None
        self._end = 0
        self._frames: deque[Line | _Stored] = deque()
        self._acknowledged = 0
        self._size = 0
        self._stored = 0

    @property
    def acknowledged(self) -> int:
        """The number of the last frame that the server has taken for good."""
        return self._acknowledged

    @property
    def last(self) -> int:
        """The number of the last frame added, 0 if none."""
        return self._acknowledged + len(self._frames)

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    @property
    def in_memory(self) -> int:
        """Bytes of them that are in memory."""
        return self._size - self._stored

    @property
    def full(self) -> bool:
        """Whether the source must wait. One frame is always taken, however large."""
        return self._size >= self._capacity

    @property
    def empty(self) -> bool:
        """Whether the server has everything."""
        return not self._frames

    def add(self, frame: Line) -> int:
        """Keep a frame; its number."""
        stored: _Stored | None = None
        if isinstance(frame, Spooled):
            self._stored += len(frame)
        elif self.in_memory + len(frame) > self._memory:
            stored = self._store(frame)
        self._frames.append(stored or frame)
        self._size += len(frame)
        return self.last

    def after(self, number: int) -> bytes | None:
        """The frame that follows `number`, if there is one yet."""
        index = number - self._acknowledged
        if not 0 <= index < len(self._frames):
            return None
        frame = self._frames[index]
        return self._load(frame) if isinstance(frame, _Stored) else whole(frame)

    def to_send(self, number: int, piece: int) -> bytes | Iterator[bytes] | None:
        """The same as it is sent: one that is longer than a `piece` bit by bit, so that it is never here as a whole."""
        index = number - self._acknowledged
        if not 0 <= index < len(self._frames) or len(self._frames[index]) <= piece:
            return self.after(number)
        frame = self._frames[index]
        return frame.pieces(piece) if isinstance(frame, Spooled) else self._in_pieces(number, frame, piece)

    def acknowledge(self, number: int) -> None:
        """Let go of every frame up to `number`; an older number changes nothing."""
        if number > self.last:
            raise UnknownPosition(f"{number} was never sent")
        while self._acknowledged < number:
            frame = self._frames.popleft()
            self._acknowledged += 1
            self._size -= len(frame)
            if not isinstance(frame, bytes):
                self._stored -= len(frame)
        if not self._stored:
            self._clear()

    def resume(self, received: int) -> None:
        """A new connection begins where the server says it is; raises UnknownPosition if that cannot be."""
        if received < self._acknowledged:
            raise UnknownPosition(f"frames after {received} were acknowledged and let go")
        self.acknowledge(received)

    def renumber(self) -> None:
        """Count what is still held from 1 again: for a link that goes on under a new name."""
        self._acknowledged = 0

    def close(self) -> None:
        """Let go of the file; what is still held in it is lost."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # The file

    def _store(self, frame: bytes) -> _Stored | None:
        """Put a frame into the file. None where that cannot be: it is kept in memory then."""
        if self._end + len(frame) > 2 * self._capacity:
            return None  # It never became empty, so that it never began anew.
        try:
            self._file = self._file or self._open_file()
            self._file.seek(self._end)
            self._file.write(frame)
            self._file.flush()
        except OSError:
            return None
        stored = _Stored(self._end, len(frame))
        self._end += len(frame)
        self._stored += len(frame)
        return stored

    def _load(self, frame: _Stored) -> bytes:
        assert self._file is not None
        self._file.seek(frame.at)
        return self._file.read(frame.size)

    def _in_pieces(self, number: int, frame: bytes | _Stored, size: int) -> Iterator[bytes]:
        for at in range(0, len(frame), size):
            if isinstance(frame, bytes):
                yield frame[at : at + size]
                continue
            if self._file is None or number < self._acknowledged:
                raise UnknownPosition(f"{number} was let go before it was sent")
            self._file.seek(frame.at + at)
            yield self._file.read(min(size, frame.size - at))

    def _clear(self) -> None:
        if self._file is None or not self._end:
            return
        self._end = 0
        with contextlib.suppress(OSError):
            self._file.truncate(0)
