"""Processes of our own that may be killed, stopped and started again; never a process of anybody else."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from clawgroups.core.parent import tie_to

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30.0


class Process:
    """One command that is meant to run; it dies with us. What it says goes to a log file."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=tie_to(os.getpid(), signal.SIGKILL),  # noqa: PLW1509  (calls the kernel only)
            )

    def signal(self, number: int) -> None:
        """Send a signal to the process itself, as long as it is ours."""
        assert self._process is not None
        if self._process.poll() is None:
            os.kill(self._process.pid, number)

    def kill(self) -> list[int]:
        """kill -9 of the process alone; the children that it had, which must not outlive it."""
        children = children_of(self.pid)
        self.signal(signal.SIGKILL)
        self.wait()
        return children

    def stop(self) -> float:
        """SIGTERM; how many seconds it took to end. One that does not end is killed; one that was frozen is woken."""
        began = time.monotonic()
        if self.runs:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait()
            if self.runs:
                self.kill()
        return time.monotonic() - began

    def wait(self) -> None:
        assert self._process is not None
        self._process.wait(PATIENCE)

    def said(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return self.log.read_text(errors="replace")
        return ""


def python(*arguments: str) -> list[str]:
    """A command of this environment's Python."""
    return [sys.executable, *arguments]


def children_of(parent: int) -> list[int]:
    """The living children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                state, owner = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if int(owner) == parent and state not in "ZX":
                    found.append(int(entry.name))
    return found


def lives(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
