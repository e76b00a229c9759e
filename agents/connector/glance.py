"""What a message says, without its long texts: they pass through here, and are not looked at."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection
from typing import Any

from agents.connector.spool import LONG, Line, pieces, whole

_TEXT = 4 * 1024
"""Bytes of a text that is left out of a long message."""
_INSIDE = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_LONGEST_ESCAPE = len(rb"\u0000")


def frame_of(line: Line, brief: Collection[str]) -> Any:
    """The message in a line. Raises ValueError or RecursionError, or OSError from the file in which it lies.

    Of a long one that is an answer, or has one of the methods in `brief`, long texts are empty: `read` has it whole.
    """
    if len(line) > LONG:
        frame = json.loads(_without_texts(line))
        if isinstance(frame, dict) and (frame.get("method") is None or frame["method"] in brief):
            return frame
        del frame
    return read(line)


def read(line: Line) -> Any:
    """The message in a line, as a whole. Raises ValueError, RecursionError or OSError."""
    # Of the bytes nothing is held any more while the text is read.
    return json.loads(whole(line).decode())


def _without_texts(line: Line) -> str:
    """The same with each long text empty. Raises ValueError where that would make JSON of what is none."""
    reader, decoder = _Reader(), codecs.getincrementaldecoder("utf-8")()
    for piece in pieces(line):
        # A server ends a connection over what is no text.
        decoder.decode(piece)
        reader.feed(piece)
    decoder.decode(b"", final=True)
    return reader.kept.decode()


class _Reader:
    """Takes JSON bit by bit and leaves the long texts out."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self._is_inside = False
        self._size = 0
        self._begun = b""
        """An escape of which the end is still to come."""

    def feed(self, piece: bytes) -> None:
        """What comes next. Raises ValueError for a text that JSON does not allow."""
        piece, at, self._begun = self._begun + piece, 0, b""
        while at < len(piece):
            at = self._inside(piece, at) if self._is_inside else self._outside(piece, at)

    def _outside(self, piece: bytes, at: int) -> int:
        end = piece.find(b'"', at) + 1
        self._is_inside, self._size = end > 0, 0
        end = end or len(piece)
        self.kept += piece[at:end]
        return end

    def _inside(self, piece: bytes, at: int) -> int:
        found = _INSIDE.match(piece, at)
        assert found is not None
        end = found.end()
        if self._size + end - at <= _TEXT:
            self.kept += piece[at:end]
        elif self._size <= _TEXT:
            del self.kept[len(self.kept) - self._size :]
        self._size += end - at
        if piece[end : end + 1] == b'"':
            self._is_inside = False
            self.kept += b'"'
            return end + 1
        if piece[end : end + 1] == b"\\" and len(piece) - end < _LONGEST_ESCAPE:
            self._begun = piece[end:]
        elif end < len(piece):
            raise ValueError("a text with something in it that JSON does not allow")
        return len(piece)
