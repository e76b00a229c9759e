"""Dying with one's parent: what a killed process has started must not run on."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
# Loaded beforehand: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with(parent: int, death: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel for a signal to this process when `parent` dies (Linux; elsewhere nothing happens)."""
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, int(death), 0, 0, 0)
    if os.getppid() != parent:
        # The parent died before the kernel had been asked.
        os._exit(1)


def tie_to(parent: int, death: signal.Signals) -> Callable[[], None]:
    """What a child does between fork and exec: ask the kernel for a signal when its parent dies."""

    def tie() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        die_with(parent, death)

    return tie


def adopt(*, orphans: bool = True) -> None:
    """Become the parent of all that descends from this process and has lost its own, or no longer (Linux)."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0)
