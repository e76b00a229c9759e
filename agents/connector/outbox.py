"""What the agent has said and the server has not yet confirmed. Pure: numbers and bytes, no waiting."""

from __future__ import annotations

from collections import deque

CAPACITY = 64 * 1024 * 1024


class UnknownPosition(ValueError):
    """The server names a position this outbox never had or no longer holds."""


class Outbox:
    """Frames numbered 1, 2, 3... in the order they were added, kept until they are acknowledged.

    Every frame that is not a `_clawgroups/*` notification gets a number, and the server counts the same
    way, so the numbers need not travel.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._frames: deque[bytes] = deque()
        self._acknowledged = 0
        self._size = 0

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
    def full(self) -> bool:
        """Whether the source must wait. One frame is always taken, however large."""
        return self._size >= self._capacity

    @property
    def empty(self) -> bool:
        """Whether the server has everything."""
        return not self._frames

    def add(self, frame: bytes) -> int:
        """Keep a frame; its number."""
        self._frames.append(frame)
        self._size += len(frame)
        return self.last

    def after(self, number: int) -> bytes | None:
        """The frame that follows `number`, if there is one yet."""
        index = number - self._acknowledged
        return self._frames[index] if 0 <= index < len(self._frames) else None

    def acknowledge(self, number: int) -> None:
        """Let go of every frame up to `number`; an older number changes nothing."""
        if number > self.last:
            raise UnknownPosition(f"{number} was never sent")
        while self._acknowledged < number:
            self._size -= len(self._frames.popleft())
            self._acknowledged += 1

    def resume(self, received: int) -> None:
        """A new connection begins where the server says it is; raises UnknownPosition if that cannot be."""
        if received < self._acknowledged:
            raise UnknownPosition(f"frames after {received} were acknowledged and let go")
        self.acknowledge(received)

    def renumber(self) -> None:
        """Count what is still held from 1 again: for a link that goes on under a new name."""
        self._acknowledged = 0
