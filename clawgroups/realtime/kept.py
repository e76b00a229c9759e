"""What was made for one follower, kept for the next who stands at the same place."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """What a follower is sent next: the text, the entries it covers, and those that the role may see."""

    text: str
    seq: int
    count: int
    last_seen: int


class Kept:
    """At most so many pieces, of so many characters together; those go first that nobody has asked for the longest."""

    def __init__(self, pieces: int, characters: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._largest, self._clock = pieces, characters, clock
        self._pieces: dict[Hashable, tuple[Piece, float]] = {}
        self._size = 0

    def get(self, key: Hashable) -> Piece | None:
        """The piece that is kept under this key."""
        found = self._pieces.pop(key, None)
        if found is None:
            return None
        self._pieces[key] = found[0], self._clock()
        return found[0]

    def keep(self, key: Hashable, piece: Piece) -> Piece:
        """Keep this piece, and give it."""
        self._forget(key)
        self._pieces[key] = piece, self._clock()
        self._size += len(piece.text)
        while len(self._pieces) > self._most or (self._size > self._largest and len(self._pieces) > 1):
            self._forget(next(iter(self._pieces)))
        return piece

    def forget_before(self, at: float) -> None:
        """Forget those that were kept, and asked for, before this moment of the clock."""
        while self._pieces and next(iter(self._pieces.values()))[1] < at:
            self._forget(next(iter(self._pieces)))

    def clear(self) -> None:
        """Forget all."""
        self._pieces.clear()
        self._size = 0

    def _forget(self, key: Hashable) -> None:
        if (gone := self._pieces.pop(key, None)) is not None:
            self._size -= len(gone[0].text)
