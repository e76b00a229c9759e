"""What autobahn does to every frame it reads, without letting go of the interpreter's lock.

Its own way (NVX) calls C through cffi, which lets go of the lock six times a frame. Beside threads that want it, the
event loop waits some milliseconds for it each time: a fifth of all its time with 300 agents.
"""

from __future__ import annotations

import codecs

from autobahn.websocket import protocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # where it was built without
    from websockets.utils import apply_mask


class Masker:
    """Takes the mask off a frame, piece by piece (RFC 6455, 5.3)."""

    def __init__(self, mask: bytes, _length: int | None = None) -> None:
        self._mask, self._done = bytes(mask), 0

    def pointer(self) -> int:
        """How many bytes were taken."""
        return self._done

    def reset(self) -> None:
        """Begin another frame under the same mask."""
        self._done = 0

    def process(self, data: bytes) -> bytes:
        """The bytes that follow those before, without the mask."""
        at = self._done & 3
        self._done += len(data)
        return apply_mask(data, self._mask[at:] + self._mask[:at])


class Validator:
    """Looks whether a text is UTF-8, piece by piece."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def reset(self) -> None:
        """Begin another text."""
        self._decoder.reset()

    def validate(self, data: bytes) -> tuple[bool, bool, int, int]:
        """Whether it is so far, and whether it may end here. The places, which autobahn only says to others, are 0."""
        try:
            self._decoder.decode(data)
        except UnicodeDecodeError:
            return False, False, 0, 0
        return True, not self._decoder.getstate()[0], 0, 0


def install() -> None:
    """Have autobahn use these."""
    protocol.create_xor_masker, protocol.Utf8Validator = Masker, Validator
