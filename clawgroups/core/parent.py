"""Dying with one's parent: what a killed process has started must not run on."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
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
