"""How the program ends, as numbers that scripts and services may rely on (`docs/connector.md`)."""

from __future__ import annotations

UNWELL = 1
"""`status`: not everything is connected. `doctor`: something is wrong, and it was said what to do."""
USAGE = 2
"""The command line, or what it names, cannot be carried out; nothing was started."""
REFUSED = 3
"""The server does not take the key, or the code."""
REPLACED = 4
"""Another connection with the same key has taken over."""
UNREACHABLE = 5
"""The server cannot be reached, or cannot answer now; the same line may be started again."""
BUSY = 6
"""This agent is connected from this machine already."""
NOT_STARTED = 127
"""There is no such program, or it cannot be started."""


class Wrong(Exception):
    """What was asked for cannot be done; the text says what to do, `code` how the program ends."""

    def __init__(self, text: str, code: int = USAGE) -> None:
        super().__init__(text)
        self.code = code
