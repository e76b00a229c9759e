"""A real `manage.py up` on a free port with a folder of its own, whose processes can be killed one by one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from clawgroups.core.parent import tie_to
from tests.run.prepared import PREPARED
from tests.run.servers import free_port
from tests.stories.manage import Manager
from tests.stories.waiting import Heard, until

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("CLAWGROUPS_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "PORT", "EMAIL_URL")
READY = 120.0
MARKS = {"web": "clawgroups.server", "worker": "celery", "agents": "agents.builtin", "valkey": "valkey"}


class Installation:
    """One installation: its folder outlives its processes.

    In a run of all tests it begins with what one first start has left, unless `CLAW_PREPARED` is empty.
    """

    def __init__(self, **settings: str) -> None:
        # Short, since a Unix socket lies in it.
        self.data = Path(tempfile.mkdtemp(prefix="claw-story-"))
        self.port = int(settings.get("PORT") or free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        self.environment = {**kept, "CLAWGROUPS_DATA": str(self.data), "PORT": str(self.port), **settings}
        self.lines: Heard[str] = Heard("`up`")
        self._prepared = "" if "DATABASE_URL" in settings else self.environment.get(PREPARED, "")
        self._manager = Manager(self.environment)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    # Life

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        if self._prepared and not any(self.data.iterdir()):
            shutil.copytree(self._prepared, self.data, dirs_exist_ok=True)
        self.lines = Heard("`up`")
        process = self._process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=tie_to(os.getpid(), signal.SIGTERM),  # noqa: PLW1509  (calls the kernel only)
        )
        self._reader = threading.Thread(target=self._read, args=(process, self.lines), daemon=True)
        self._reader.start()
        self.lines.until(lambda line: line.startswith("Ready: "), seconds=READY, what="the line with the link")

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: Heard[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                lines.add(line.rstrip())
        lines.end("It has ended.")

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit status."""
        assert self._process is not None
        assert self._reader is not None
        self._process.terminate()
        status = self._process.wait(30)
        self._reader.join(10)
        return status

    def remove(self) -> None:
        """End what still runs and take the folder away."""
        self._manager.end()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._reader.join(10)
        shutil.rmtree(self.data, ignore_errors=True)

    # Its processes

    def pid(self, name: str) -> int | None:
        """The process id of one of the supervisor's own children, if it runs."""
        assert self._process is not None
        for pid in _children(self._process.pid):
            if MARKS[name] in command_of(pid):
                return pid
        return None

    def kill(self, name: str) -> int:
        """kill -9 one of the supervisor's children; the id it had."""
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid

    def returned(self, name: str, killed: int) -> int:
        """Wait until the supervisor runs another process in place of a killed one; its id."""

        def look() -> int:
            pid = self.pid(name)
            return 0 if pid in (None, killed) else pid or 0

        return until(look, seconds=30, what=f"a new {name} process")

    def kill_everything(self) -> None:
        """kill -9 the supervisor; the kernel ends what it had started."""
        assert self._process is not None
        children = _children(self._process.pid)
        assert children
        self._process.kill()
        self._process.wait()
        until(lambda: not any(map(_runs, children)), seconds=20, what="the end of the supervisor's children")
        assert self._reader is not None
        self._reader.join(10)

    def memory(self, name: str) -> int:
        """The most memory that a child has held so far, in bytes."""
        pid = self.pid(name)
        status = Path(f"/proc/{pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    # Its command line and logs

    def manage(self, *arguments: str, seconds: float = 60) -> str:
        """Run a management command on it; what it printed."""
        return self._manager.run(arguments, seconds=seconds)

    def token(self, username: str = "owner") -> str:
        """A new personal access token."""
        return self.manage("token", username).split()[-1]

    def said(self, name: str) -> str:
        """What a process has logged."""
        with contextlib.suppress(FileNotFoundError):
            return (self.data / "logs" / f"{name}.log").read_text(errors="replace")
        return ""

    def faults(self) -> list[str]:
        """Errors and tracebacks in the logs: there should be none of ours."""
        found = []
        for name in MARKS:
            lines = self.said(name).splitlines()
            found += [f"{name}: {line}" for line in lines if " ERROR " in line or line.startswith("Traceback")]
        return found


@contextlib.contextmanager
def installed(**settings: str) -> Iterator[Installation]:
    """A running installation, gone afterwards; on a failure the ends of its logs are printed."""
    installation = Installation(**settings)
    try:
        installation.start()
        yield installation
    except BaseException:
        for name in MARKS:
            print(f"== {name}.log\n" + "\n".join(installation.said(name).splitlines()[-25:]))
        raise
    else:
        assert installation.stop() == 0, f"`up` did not end well: {installation.lines.all()[-5:]}"
    finally:
        installation.remove()


def _children(parent: int) -> list[int]:
    return [pid for pid in _all() if _parent(pid) == parent]


def below(parent: int) -> list[int]:
    """A process's children, their children, and so on."""
    found = _children(parent)
    for pid in found:
        found += _children(pid)
    return found


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """State, parent and so on: what follows the name, which may hold blanks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _parent(pid: int) -> int:
    stat = _stat(pid)
    return int(stat[1]) if stat and stat[0] != "Z" else 0


def _runs(pid: int) -> bool:
    stat = _stat(pid)
    return bool(stat) and stat[0] not in "ZX"


def command_of(pid: int) -> str:
    """The command line of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
