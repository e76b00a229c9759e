"""What the supervisor tells the person at the terminal: single lines, and never a traceback."""

from __future__ import annotations

import os
import sys

# How a process of ours says that it does not start as things are, and its exit status then.
REFUSAL = "Claw Groups does not start: "
REFUSED = 2


class CannotRun(Exception):
    """Nothing was started, for a reason that fits one line. The exit status is 2."""


class Refused(CannotRun):
    """A process of ours has refused to start, and said why in lines of its own."""


def say(line: str) -> None:
    """Print one line. The reader of a pipe may have gone: the processes are worth more than the line."""
    try:
        print(line, flush=True)
    except (OSError, ValueError):
        # Python would complain again when it flushes at exit.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
