"""Who uses a folder: locks that end with their process, however it ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import fcntl


@dataclass
class Hold:
    """A lock file, open and locked. Each one counts for itself, in one process too."""

    path: Path
    descriptor: int

    @classmethod
    def share(cls, path: Path) -> Hold:
        """Use it, beside others who do; waits for somebody who has it alone. Raises OSError."""
        while True:
            hold = cls(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            hold._lock(alone=False)
            if hold._is_there():
                return hold
            # Discarded while we waited: what it stood for is gone.
            hold.release()

    @classmethod
    def alone(cls, path: Path) -> Hold | None:
        """Have it alone; None where somebody uses it. Raises OSError."""
        hold = cls(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            hold._lock(alone=True)
        except BlockingIOError:
            hold.release()
            return None
        return hold

    def become_alone(self) -> bool:
        """Whether nobody else uses it, so that we have it alone now."""
        try:
            self._lock(alone=True)
        except BlockingIOError:
            return False
        return True

    def discard(self) -> None:
        """Remove the file, being alone with it."""
        with suppress(OSError):
            self.path.unlink()

    def release(self) -> None:
        """Use it no more."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _lock(self, *, alone: bool) -> None:
        if sys.platform != "win32":
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)

    def _is_there(self) -> bool:
        try:
            there, ours = self.path.stat(), os.fstat(self.descriptor)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
