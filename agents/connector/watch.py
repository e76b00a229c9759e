"""Who looks on while an agent is carried: told how the connection stands, and never asked."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """What is told of one connection; what goes wrong there is not the agent's matter, so nothing is raised."""

    def connected(self, name: str) -> None:
        """The server has taken the key, and calls the agent so."""
        ...

    def lost(self, why: str) -> None:
        """There is no connection (any more)."""
        ...

    def ended(self, code: int) -> None:
        """It is over, with this code."""
        ...


class _Nobody:
    def connected(self, name: str) -> None:
        """Not looked at."""

    def lost(self, why: str) -> None:
        """Not looked at."""

    def ended(self, code: int) -> None:
        """Not looked at."""


NOBODY: Watch = _Nobody()
