"""Stages that run in a process of their own while others run: each of them mostly waits for processes and clocks."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.run.limited import TOO_LONG, stop
from tests.run.results import Results


class Beside:
    """A test run of some stages, started now; what it says goes to `said`, and is told in one piece when it is over."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path, said: Path) -> None:
        self._said = said
        command = [sys.executable, "-m", "tests.run", *arguments]
        with said.open("wb") as out:
            self._process = subprocess.Popen(
                command, cwd=cwd, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )

    def finish(self, results: Results, *, within: float) -> None:
        """Wait for its end, tell what it said, and count what it found."""
        try:
            status = self._process.wait(within)
        except subprocess.TimeoutExpired:
            status = TOO_LONG
        self.end()
        text = self._said.read_text(encoding="utf-8", errors="replace")
        print(text, end="", flush=True)
        results.add(text, status=status)

    def end(self) -> None:
        """Stop it where it still runs, and all that it has started."""
        stop(self._process, signal.SIGTERM)
