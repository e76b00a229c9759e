"""The machine that an agent works on, as far as rules must look at it."""

from __future__ import annotations

from typing import Protocol


class Machine(Protocol):
    """Its disk, seen from where the rules are."""

    @property
    def windows(self) -> bool:
        """Whether its paths are those of Windows."""

    @property
    def posix_shell(self) -> bool:
        """Whether its command lines are surely read as a POSIX shell reads them."""

    def expanded(self, path: str) -> str | None:
        """`~` and `~/x` written out; None when nobody can say where that is."""

    def real(self, path: str) -> str:
        """Where an absolute path leads once every link is followed. Raises OSError or ValueError."""

    def may_be_folder(self, path: str) -> bool:
        """Whether something may lie below this absolute path."""
