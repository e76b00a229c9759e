"""What was made for one follower, kept for the next who stands at the same place."""

from __future__ import annotations

from collections.abc import Hashable
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

    def __init__(self, pieces: int, characters: int) -> None:
        self._most, self._largest = pieces, characters
        self._pieces: dict[Hashable, Piece] = {}
        self._size = 0

    def get(self, key: Hashable) -> Piece | None:
        """The piece that is kept under this key."""
        piece = self._pieces.get(key)
        if piece is not None and len(self._pieces) > 1:
            self._pieces[key] = self._pieces.pop(key)
        return piece

    def keep(self, key: Hashable, piece: Piece) -> Piece:
        """Keep this piece, and give it."""
        self._forget(key)
        self._pieces[key] = piece
        self._size += len(piece.text)
        while len(self._pieces) > self._most or (self._size > self._largest and len(self._pieces) > 1):
            self._forget(next(iter(self._pieces)))
        return piece

    def clear(self) -> None:
        """Forget all."""
        self._pieces.clear()
        self._size = 0

    def _forget(self, key: Hashable) -> None:
        if (gone := self._pieces.pop(key, None)) is not None:
            self._size -= len(gone.text)
