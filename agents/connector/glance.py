"""What a line of the agent says, without copies of long texts: they pass through here, and are not looked at."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from agents.protocol import version

LONG = 1024 * 1024
"""Bytes of a line that is only glanced at."""
_TEXT = 64 * 1024
_PIECE = 256 * 1024
_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')


def frame_of(line: bytes) -> Any:
    """The message in a line; of a long `session/update`, long texts are empty. Raises ValueError or RecursionError."""
    if len(line) > LONG:
        frame = json.loads(_without_texts(line))
        if isinstance(frame, dict) and frame.get("method") == version.SESSION_UPDATE and "id" not in frame:
            _check(line)
            return frame
    return json.loads(line.decode())


def _without_texts(line: bytes) -> bytes:
    """The same with each long text empty. What is no JSON does not become some."""
    kept, at = [], 0
    for found in _STRING.finditer(line):
        start, end = found.span()
        if end - start > _TEXT:
            kept += [line[at : start + 1], b'"']
            at = end
    return b"".join([*kept, line[at:]])


def _check(line: bytes) -> None:
    """Raise UnicodeDecodeError where it is no text: a server ends a connection over that."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(line), _PIECE):
        decoder.decode(line[at : at + _PIECE])
    decoder.decode(b"", final=True)
