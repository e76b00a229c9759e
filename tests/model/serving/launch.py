"""The life of one server: started on a free port, waited for, and gone with everything that it started."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from clawgroups.core.parent import tie_to
from clawgroups.supervisor.say import CannotRun
from tests.model.serving import install
from tests.run.servers import free_port
from tests.stories.waiting import until

# Seconds until it answers: most of them go into importing, in three processes.
PATIENCE = 300.0
# By its name the client knows a model's modes.
NAME = "kimi-k2.6-tiny"
OURS = ("CLAWGROUPS_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "PORT", "SGLANG_", "PYTEST_")


class ModelServer:
    """One server with a folder of its own, in which its log, its keys and its temporary files are."""

    def __init__(self, command: Sequence[str], *, key: str = "", admin_key: str = "") -> None:
        """`command` gets the port and more flags added to it; see `tiny`."""
        # Short, since Unix sockets lie in it.
        self.folder = Path(tempfile.mkdtemp(prefix="claw-model-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.key, self.admin_key = key, admin_key
        self.name = NAME
        self.took = 0.0
        self._command = [*command, str(self.port), "--served-model-name", NAME, *self._keys()]
        self._process: subprocess.Popen[bytes] | None = None

    def _keys(self) -> list[str]:
        """Keys travel in a file: what is on the command line, everybody on the machine can read."""
        given = {"api-key": self.key, "admin-api-key": self.admin_key}
        if not any(given.values()):
            return []
        file = self.folder / "keys.yaml"
        file.touch(mode=0o600)
        file.write_text(json.dumps({name: key for name, key in given.items() if key}), encoding="utf-8")
        return ["--config", str(file)]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start it and wait until it answers. Raises `CannotRun` with the end of its log."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        begun = time.monotonic()
        with (self.folder / "log").open("ab") as out:
            self._process = subprocess.Popen(
                self._command,
                cwd=install.ROOT,
                env={**environment, "TMPDIR": str(self.folder), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                # When we are killed, the kernel ends it; its own processes do the same when it is gone.
                preexec_fn=tie_to(os.getpid(), signal.SIGKILL),  # noqa: PLW1509  (calls the kernel only)
            )
        until(self._settled, seconds=PATIENCE, what="the server's first sign of life")
        if self._process.poll() is not None:
            raise CannotRun(f"SGLang's server has ended at its start:\n{self.log()[-3000:]}")
        self.took = time.monotonic() - begun

    def _settled(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None or self.get("/health")[0] == 200

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the server itself; status 0: nobody answers."""
        return self._ask("GET", path, None, self.key)

    def post(self, path: str, content: object, *, key: str | None = None) -> tuple[int, Any]:
        """Status and answer of a request in JSON; `key` instead of the one for requests."""
        status, text = self._ask("POST", path, json.dumps(content), self.key if key is None else key)
        return status, json.loads(text) if text.startswith(("{", "[")) else text

    def _ask(self, method: str, path: str, body: str | None, key: str) -> tuple[int, str]:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """A figure of /metrics, summed over its labels."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.partition("{")[0].split(" ")[0] == name)

    def processes(self) -> list[int]:
        """The server's own process and all that it has started."""
        return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and _group(one.name) == self.pid]

    def memory(self) -> int:
        """Bytes that its processes hold, what they share counted once."""
        return sum(map(_proportional, self.processes()))

    def remove(self) -> None:
        """Kill the whole group, which has nothing to lose, and take away what it leaves."""
        if self._process is not None:
            shared = {file for pid in self.processes() for file in _shared(pid)}
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
            for file in shared:
                file.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def _group(pid: str) -> int:
    try:
        return os.getpgid(int(pid))
    except ProcessLookupError:
        return 0


def _shared(pid: int) -> set[Path]:
    """Files of shared memory that a process of SGLang's holds; nobody removes them after a kill."""
    try:
        words = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return set()
    return {Path(word) for word in words if word.startswith("/dev/shm/sglang_")}


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def tiny(model: Path) -> list[str]:
    """The command line of SGLang's server with the tiny model."""
    return [str(install.PYTHON), "-m", "tests.model.serving.serve", str(model)]


@contextmanager
def running(command: Sequence[str], *, key: str = "", admin_key: str = "") -> Iterator[ModelServer]:
    """A server that answers, gone afterwards."""
    server = ModelServer(command, key=key, admin_key=admin_key)
    try:
        server.start()
        yield server
    finally:
        server.remove()
