"""An agent's machine, on which nothing is prepared but the agent: an empty home and folder, and the copied line."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clawgroups.core.parent import tie_to
from tests.rig.person import Person
from tests.run.servers import free_port
from tests.stories import installation
from tests.stories.script import Json, Script
from tests.stories.waiting import until

AGENT_FILES = ("agents.py", "stub_llm.py")
TO_AGENT, FROM_AGENT = "to-agent.jsonl", "from-agent.jsonl"


@contextmanager
def stub(rig: Path, folder: Path) -> Iterator[str]:
    """The rig's stand-in for a model provider, on a port of its own; its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(rig / "stub_llm.py"), "--port", str(port)],
        stderr=(folder / "stub.log").open("wb"),
        preexec_fn=tie_to(os.getpid(), signal.SIGTERM),  # noqa: PLW1509  (calls the kernel only)
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


class Agent:
    """One of the rig's agents: registered on the pages, and let in by the line that a person copies there."""

    def __init__(self, name: str, script: Script, rig: Path, folder: Path, stub: str, person: Person) -> None:
        self.name, self.script, self.folder = name, script, folder
        self.home, self.desk = folder / "home", folder / "desk"
        for made in (self.folder, self.home, self.desk):
            made.mkdir()
        self.workspace = script.workspace(f"With {name}")
        self.wanted = time.monotonic()
        """When somebody began to want it."""
        self.id, self.line = person.registers(name, f"With {name}")
        self.took = 0.0
        """Seconds from the start of its program until the product showed it as online."""
        self._programs = folder / "bin"
        self._install(rig, stub)
        self._was_here = False
        self._process: subprocess.Popen[bytes] | None = None

    def _install(self, rig: Path, stub: str) -> None:
        """Its own program, which writes down what either side says on its way, and nothing else."""
        self._programs.mkdir()
        told = {"STUB_URL": stub, "RIG_HOMES": str(self.folder / "homes")}
        told |= {name: os.environ[name] for name in ("RIG_DIR",) if name in os.environ}
        words = [f"export {name}={shlex.quote(value)}" for name, value in told.items()]
        to, back = (f"tee -a {shlex.quote(str(self.folder / name))}" for name in (TO_AGENT, FROM_AGENT))
        words.append(f"{to} | {shlex.join([sys.executable, str(rig / 'agents.py'), 'run', self.name])} | {back}")
        program = self._programs / self.name
        program.write_text("\n".join(["#!/bin/sh", *words, ""]))
        program.chmod(0o755)

    def start(self) -> None:
        """Run the line, or what starts all that were connected from here before, and wait until it is online."""
        # `exec`: the process that is started is the connector then, and no shell in front of it.
        line = "exec python3 connect.pyz connect --all" if self._was_here else self.line.replace("&& ", "&& exec ")
        self._process = subprocess.Popen(
            ["sh", "-c", line],
            cwd=self.desk,
            env={"HOME": str(self.home), "PATH": f"{self._programs}:/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            stderr=(self.folder / "connector.log").open("ab"),
            preexec_fn=tie_to(os.getpid(), signal.SIGTERM),  # noqa: PLW1509  (calls the kernel only)
        )
        begun = time.monotonic()
        until(self._is_here, seconds=60, what=f"{self.name} online")
        self.took, self._was_here = time.monotonic() - begun, True

    def _is_here(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"it ended with {self._process.returncode}: {self.log()[-500:]}"
        return self.online

    @property
    def online(self) -> bool:
        return bool(self.told()["online"])

    def told(self) -> Json:
        """The agent as the product shows it."""
        found: Json = self.script.get(f"/api/v1/agents/{self.id}")
        return found

    def log(self) -> str:
        """What its connector has told whoever looks at the terminal."""
        return (self.folder / "connector.log").read_text(errors="replace")

    def ended(self, seconds: float) -> int:
        """Wait until the connector has ended by itself; its exit code."""
        assert self._process is not None
        process, self._process = self._process, None
        return process.wait(seconds)

    def again(self) -> tuple[int, str]:
        """Start the connector once more where it is not let in; its exit code and what it said."""
        before = len(self.log())
        self._was_here = True
        with suppress(AssertionError):
            self.start()
        return self.ended(20), self.log()[before:]

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)
        self._process = None

    def kill(self, *, whole: bool) -> list[int]:
        """kill -9 the connector, and if `whole` the agent and all it has started; the ids of what runs below it."""
        assert self._process is not None
        below = self.processes()
        for pid in [self._process.pid, *(below if whole else ())]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        return below

    def processes(self) -> list[int]:
        """The ids of the agent and of all it has started."""
        assert self._process is not None
        return installation.below(self._process.pid)

    def pipeline(self) -> list[int]:
        """The ids of its program, of what writes down its words, and of their shell: there as long as it is."""
        return self.processes()[:4]

    def runs(self, *words: str) -> bool:
        """Whether one of its processes has these words in its command line."""
        said = [installation.command_of(pid) for pid in self.processes()]
        return any(all(word in one for word in words) for one in said)

    def has_key_in_a_command_line(self) -> bool:
        """Whether whoever lists the processes of this machine sees its key."""
        assert self._process is not None
        return any("cg_" in installation.command_of(pid) for pid in [self._process.pid, *self.processes()])

    def heard(self, method: str = "") -> list[Json]:
        """What it was sent so far, all of it or by method."""
        found = [json.loads(line) for line in (self.folder / TO_AGENT).read_text().splitlines()]
        return [frame for frame in found if not method or frame.get("method") == method]

    @property
    def settings(self) -> Path:
        """Where the connector keeps what it remembers."""
        return self.home / ".config" / "clawgroups"

    @property
    def work(self) -> Path:
        """Where its work folders are."""
        return self.home / ".local" / "state" / "clawgroups" / "work"
