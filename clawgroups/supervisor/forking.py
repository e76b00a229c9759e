"""Children as forks of a process in which everything is loaded: one that died is back before a browser has noticed.

A start from nothing costs seconds of a core. The process that forks (`clawgroups.forkserver`) does nothing else: its
forks are children of the supervisor's own, so they do not fall with it, and without it each starts from nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from clawgroups.core.parent import adopt, tie_to
from clawgroups.supervisor.logs import Log
from clawgroups.supervisor.place import ROOT, python

LOADING, FORKING = 60.0, 5.0  # seconds
POSSIBLE = sys.platform == "linux"  # elsewhere an orphan cannot be made the supervisor's child
READY = b"ready"


class Fork:
    """A child that was forked, with what is used of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status. Raises `subprocess.TimeoutExpired` after so many seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if until is not None and time.monotonic() >= until:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(0.01)
        return status


class Forks:
    """The process that forks, as long as it can be had."""

    def __init__(self, environment: Mapping[str, str], log: Log) -> None:
        self._environment = dict(environment)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._door: socket.socket | None = None
        self._loaded = False

    def begin(self) -> None:
        """Start it. It says when it is ready to fork; nobody has to wait for that."""
        if not POSSIBLE:
            return
        adopt()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        out = self._log.open()
        try:
            self._process = subprocess.Popen(
                python("-m", "clawgroups.forkserver", str(theirs.fileno())),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                preexec_fn=tie_to(os.getpid(), signal.SIGKILL),  # noqa: PLW1509  (one thread)
            )
        finally:
            os.close(out)
            theirs.close()
        self._door, self._loaded = ours, False

    @property
    def ready(self) -> bool:
        """Whether it forks by now, or never will."""
        return not POSSIBLE or self._loaded or self._heard(0.0) == READY or not self._runs

    @property
    def _runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(
        self, command: Sequence[str], *, stdout: int, stderr: int, lock: int, death: signal.Signals
    ) -> Fork | None:
        """Fork a child that does what this command would. None: it cannot be had now, and is started for next time."""
        pid = b""
        if self._door is not None and self.ready and self._runs:
            order = {"command": list(command)[1:], "parent": os.getpid(), "death": int(death)}
            reading, writing = os.pipe()
            with contextlib.suppress(OSError):
                socket.send_fds(self._door, [json.dumps(order).encode()], [stdout, stderr, lock, reading])
                pid = self._heard(FORKING)
                # Only now does it go on: one that answers when nobody listens any more ends there.
                os.write(writing, b"." * pid.isdigit())
            os.close(reading)
            os.close(writing)
        if not pid.isdigit():
            self._anew()
            return None
        return Fork(int(pid))

    def _heard(self, seconds: float) -> bytes:
        """What it says within so many seconds; empty when it says nothing, or is gone."""
        assert self._door is not None
        if not select.select([self._door], [], [], seconds)[0]:
            return b""
        with contextlib.suppress(OSError):
            said = self._door.recv(64)
            self._loaded |= said == READY
            return said
        return b""

    def _anew(self) -> None:
        if POSSIBLE and not (self._runs and not self._loaded):
            self.stop()
            self.begin()

    def stop(self) -> None:
        """End it; what it has forked runs on."""
        if self._door is not None:
            self._door.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._door = self._process = None
