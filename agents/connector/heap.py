"""Memory of large lines goes back to the system when they are gone, as long as somebody asks for that."""

from __future__ import annotations

import contextlib
import ctypes

LARGE = 256 * 1024
_MMAP_THRESHOLD = -3


def give_back() -> None:
    """Have every block above `LARGE` bytes taken from the system and given back by itself.

    The C library of Linux learns from the first large block that it sees to keep the next ones, for ever.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)
