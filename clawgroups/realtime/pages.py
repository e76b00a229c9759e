"""Frames of pages, each kept for whoever comes to the place where it begins."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from clawgroups.realtime.frames import encode
from clawgroups.realtime.kept import Kept, Piece

KEEP = 512
CHARACTERS = 4 * 1024 * 1024
LONG = 60.0  # seconds
# Between two pieces of HTML: a page tells by the beginning of a piece whether it has a place for it, and reads no more.
BETWEEN = "\x1e"
_ELEMENT = re.compile(r'\s*<[a-z]+ id="([^"]+)"')
Reader = tuple[str, str, frozenset[str]]
"""For whom a frame is made: the role ("guest" or "member"), the language, and the kinds that the page shows."""


class Pages:
    """What one room has made for its pages.

    Who was away is given one frame of all that those were given who were there: drawing it once more would keep
    everybody waiting, and an element that changed ten times is sent once.
    """

    def __init__(self) -> None:
        self._kept = Kept(KEEP, CHARACTERS)

    def keep(self, reader: Reader, after: int, piece: Piece) -> Piece:
        """Keep the frame of what follows `after`, and give it."""
        return self._kept.keep((reader, after), piece)

    def find(self, reader: Reader, after: int, upto: int, most: int) -> Piece | None:
        """A frame of what follows `after`, as far as `upto` where all of it was made and is about `most` entries."""
        row = list(self._row(reader, after, upto, most))
        if len(row) < 2:
            return row[0] if row else None
        return self.keep(reader, after, joined(row))

    def tidy(self) -> None:
        """Forget what nobody has asked for since a minute."""
        self._kept.forget_before(time.monotonic() - LONG)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def _row(self, reader: Reader, after: int, upto: int, most: int) -> Iterable[Piece]:
        count = 0
        while after < upto and (piece := self._kept.get((reader, after))) is not None:
            count += piece.count
            if count > most and count > piece.count:
                return
            yield piece
            after = piece.seq


def page_frame(workspace_id: UUID, generation: int, seq: int, html: Iterable[str]) -> str:
    """The text of a frame that brings a page to `seq`."""
    top = {"type": "fragments", "workspace": str(workspace_id), "generation": generation, "seq": seq}
    return encode({**top, "html": BETWEEN.join(filter(None, html))})


def joined(row: Sequence[Piece]) -> Piece:
    """One frame in the place of these, which follow one upon the other: each element as, and where, it was told last.

    Elements lie within others that are told of by themselves: an older one after a newer would set that back.
    """
    frames: list[dict[str, Any]] = [json.loads(piece.text) for piece in row]
    elements: dict[str, str] = {}
    for frame in frames:
        for html in filter(None, frame["html"].split(BETWEEN)):
            found = _ELEMENT.match(html)
            name = found[1] if found else html
            elements.pop(name, None)
            elements[name] = html
    text = encode({**frames[-1], "html": BETWEEN.join(elements.values())})
    return Piece(text, row[-1].seq, sum(piece.count for piece in row), max(piece.last_seen for piece in row))
