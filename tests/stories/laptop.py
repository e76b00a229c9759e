"""Somebody's own machine with a connector and an agent on it, which can be put to sleep and woken."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.stories.installation import OURS, ROOT, below
from tests.stories.script import Json
from tests.stories.waiting import Heard

AGENTS = Path(__file__).parent / "agents"


@dataclass
class Laptop:
    """`clawgroups connect` with an agent; `said` is what it told its owner."""

    process: subprocess.Popen[str]
    said: Heard[str] = field(default_factory=lambda: Heard("the connector"))

    def sleep(self) -> None:
        """Stop the connector, the agent and whatever that has started, where they are."""
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let all of them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            for pid in [self.process.pid, *below(self.process.pid)]:
                os.kill(pid, number)

    def listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr:
            for line in self.process.stderr:
                self.said.add(line.rstrip())


@contextlib.contextmanager
def opened(made: Json, url: str, home: Path, agent: Sequence[str], **environment: str) -> Iterator[Laptop]:
    """A machine of its own on which a registered agent runs: one of `agents/`, with its arguments."""
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    own = {"HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    program = shlex.split(f"connect {url} -- {sys.executable}")
    process = subprocess.Popen(
        [sys.executable, "-m", "agents.connector", *program, str(AGENTS / agent[0]), *agent[1:]],
        cwd=ROOT,
        env={**kept, **own, **environment, "CLAWGROUPS_KEY": made["key"]},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    laptop = Laptop(process)
    listener = threading.Thread(target=laptop.listen, daemon=True)
    listener.start()
    try:
        yield laptop
    finally:
        laptop.wake()
        process.terminate()
        process.wait(20)
        listener.join(20)
