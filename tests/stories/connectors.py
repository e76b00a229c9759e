"""Connectors that a story starts as people do on machines of their own; all of them end with it."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.stories.waiting import Heard


class Connected:
    """A connector that runs; `said` is what it told its owner."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: Heard[str] = Heard("the connector")
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def end(self) -> None:
        """Stop it, if it still runs, and hear what it has to say of that."""
        self.process.terminate()
        self.process.wait(20)
        self._listener.join(20)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr:
            for line in self.process.stderr:
                self.said.add(line.rstrip())


Start = Callable[..., Connected]


@contextlib.contextmanager
def connectors() -> Iterator[Start]:
    """Gives `start(command, cwd=, env=)`, which knows nothing of this process's own environment."""
    running: list[Connected] = []

    def start(command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Connected:
        running.append(Connected(begun(command, cwd=cwd, env=env)))
        return running[-1]

    try:
        yield start
    finally:
        for one in running:
            one.end()


def begun(command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """A connector as a process that is told nothing of what this one is told, and asks nobody."""
    return subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
