"""One process of ours: started so that it cannot outlive the supervisor, and restarted with back-off."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clawgroups.core.parent import tie_to
from clawgroups.supervisor.forking import Fork, Forks
from clawgroups.supervisor.logs import Log
from clawgroups.supervisor.place import ROOT


@dataclass(frozen=True)
class Spec:
    """How a child is run. `patience`: how long it may take to stop after SIGTERM, in seconds.

    `forked`: its command is one of this very Python's, and is loaded already where children are forked.
    """

    name: str
    command: Sequence[str]
    patience: float
    when_orphaned: signal.Signals = signal.SIGKILL
    forked: bool = False


class Child:
    """A process that is meant to run. Must be started from the thread that lives as long as the supervisor."""

    young = 5.0  # who lived longer had got to work: its end says nothing about its next start
    window = 60.0
    quick_restarts = 5
    longest_pause = 30.0

    def __init__(
        self, spec: Spec, *, environment: Mapping[str, str], log: Log, lock: int, forks: Forks | None = None
    ) -> None:
        self.spec = spec
        self.log = log
        self._environment = environment
        self._lock = lock
        self._forks = forks if spec.forked else None
        self._process: subprocess.Popen[bytes] | Fork | None = None
        self._born = 0.0
        self._deaths: deque[float] = deque(maxlen=50)
        self.restart_at: float | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.running else None

    def start(self, *, stdout: int | None = None) -> None:
        """Start the process in a session of its own: Ctrl-C at the terminal reaches only the supervisor."""
        out = self.log.open()
        try:
            self._process = self._fork(out, stdout) or self._spawn(out, stdout)
        finally:
            os.close(out)
        self._born = time.monotonic()
        self.restart_at = None

    def _fork(self, out: int, stdout: int | None) -> Fork | None:
        if self._forks is None:
            return None
        stdout, death = out if stdout is None else stdout, self.spec.when_orphaned
        return self._forks.start(self.spec.command, stdout=stdout, stderr=out, lock=self._lock, death=death)

    def _spawn(self, out: int, stdout: int | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.spec.command,
            cwd=ROOT,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=out if stdout is None else stdout,
            stderr=out,
            pass_fds=(self._lock,),
            start_new_session=True,
            preexec_fn=tie_to(os.getpid(), self.spec.when_orphaned),  # noqa: PLW1509  (one thread)
        )

    def ended(self) -> int | None:
        """The exit status once the process has ended (negative: a signal), else None."""
        return self._process.poll() if self._process is not None else None

    def plan_restart(self) -> float:
        """Note a death, and say in how many seconds the next start is due. Only those that die young have to wait."""
        now = time.monotonic()
        if now - self._born < self.young:
            self._deaths.append(now)
        recent = sum(1 for died in self._deaths if now - died < self.window)
        pause = min(0.2 * 2.0 ** max(recent - 1, 0), 4.0) if recent <= self.quick_restarts else self.longest_pause
        self.restart_at = now + pause
        return pause

    def stop(self) -> None:
        """Ask the process to end, and make it end when its patience is over."""
        self.restart_at = None
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(self.spec.patience)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def how_it_ended(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
