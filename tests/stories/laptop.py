"""Somebody's own machine with a connector and an agent on it, which can be put to sleep and woken."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.stories.connectors import Connected, begun
from tests.stories.installation import OURS, ROOT, below
from tests.stories.script import Json

AGENTS = Path(__file__).parent / "agents"


class Laptop(Connected):
    """`clawgroups connect` with an agent."""

    def sleep(self) -> None:
        """Stop the connector, the agent and whatever that has started, where they are."""
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let all of them go on."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """See `Connected.end`."""
        self.wake()
        super().end()

    def _signal(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            for pid in [self.process.pid, *below(self.process.pid)]:
                os.kill(pid, number)


@contextlib.contextmanager
def opened(made: Json, url: str, home: Path, agent: Sequence[str], **environment: str) -> Iterator[Laptop]:
    """A machine of its own on which a registered agent runs: one of `agents/`, with its arguments."""
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    own = {"HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    program = shlex.split(f"connect {url} -- {sys.executable}")
    command = [sys.executable, "-m", "agents.connector", *program, str(AGENTS / agent[0]), *agent[1:]]
    laptop = Laptop(begun(command, cwd=ROOT, env={**kept, **own, **environment, "CLAWGROUPS_KEY": made["key"]}))
    try:
        yield laptop
    finally:
        laptop.end()
