"""What the C library of Linux does with the memory of a process that runs for weeks. Elsewhere nothing happens."""

from __future__ import annotations

import contextlib
import ctypes

LARGE = 256 * 1024
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # malloc.h


def give_back() -> None:
    """Have every block above `LARGE` bytes taken from the system and given back by itself.

    The library learns from the first large block that it sees to keep the next ones, for ever.
    """
    _set(_MMAP_THRESHOLD, LARGE)


def share() -> None:
    """Have all threads take their blocks from one place. To be called before there are any.

    Else each has a place of its own, and keeps what the largest thing took that it ever did.
    """
    _set(_ARENA_MAX, 1)


def _set(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(option, value)
