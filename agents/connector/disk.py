"""The disk of this machine, as the rules look at it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agents.policy import paths
from agents.policy.paths import Place


class Disk:
    """It is looked at anew each time: an agent may have changed it."""

    @property
    def windows(self) -> bool:
        """Whether this is Windows."""
        return sys.platform == "win32"

    @property
    def posix_shell(self) -> bool:
        """Whether this is not Windows."""
        return not self.windows

    def expanded(self, path: str) -> str | None:
        """`~` written out. Raises RuntimeError where this person has no home."""
        return str(Path(path).expanduser())

    def real(self, path: str) -> str:
        """With every link followed. Raises OSError or ValueError."""
        return os.path.realpath(path)

    def may_be_folder(self, path: str) -> bool:
        """Whether it is one."""
        return Path(path).is_dir()


DISK = Disk()


def absolute(path: str) -> Place | None:
    """An absolute path as a place; None when this machine cannot follow it."""
    return paths.absolute(path, DISK)
