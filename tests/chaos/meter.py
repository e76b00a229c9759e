"""Samples what the processes of a stack use: memory, processor time, open files; from /proc, every few seconds."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression

from bench.swarm import cpu_of
from tests.chaos.processes import children_of
from tests.chaos.stacks import Servers, Stack

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 2**20
OURS = ("web", "worker", "coordinator", "agents")


@dataclass(frozen=True)
class Sample:
    """One part at one moment: seconds since the start, MiB, seconds of CPU so far, open files; children included."""

    at: float
    memory: float
    cpu: float
    files: int


class Meter:
    """What each part of a stack used, sample after sample."""

    def __init__(self, stack: Stack, every: float) -> None:
        self._stack, self._every = stack, every
        self._over = threading.Event()
        self._began = time.monotonic()
        self.samples: dict[str, list[Sample]] = defaultdict(list)
        self._thread = threading.Thread(target=self._sample, name="meter", daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No more samples from here on."""
        self._over.set()
        self._thread.join(30)

    def _sample(self) -> None:
        while True:
            for part, pid in self._pids().items():
                family = [pid, *children_of(pid)]
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    self.samples[part].append(_sample_of(family, time.monotonic() - self._began))
            if self._over.wait(self._every):
                return

    def _pids(self) -> dict[str, int]:
        found = {part: pid for part, pid in self._stack.pids().items() if pid is not None}
        if isinstance(self._stack, Servers):
            servers = {"postgres": self._stack.postgres.pid, "redis": self._stack.redis.pid}
            found |= {name: pid for name, pid in servers.items() if pid is not None}
        return found

    # What came of it

    def cpu(self, *parts: str) -> float:
        """Seconds of CPU of these parts over the whole time."""
        return sum(own[-1].cpu - own[0].cpu for part in parts or self.samples if (own := self.samples.get(part)))

    def share(self, *parts: str) -> float:
        """How many cores these parts have used."""
        spans = [own[-1].at - own[0].at for part in parts if len(own := self.samples.get(part, [])) > 1]
        return self.cpu(*parts) / max(spans) if spans else 0.0

    def growth(self, part: str, after: float) -> float:
        """By which share the memory of a part has grown since `after` seconds: the last fifth against the first."""
        own = [one.memory for one in self.samples[part] if one.at >= after]
        fifth = max(1, len(own) // 5)
        first, last = own[:fifth], own[-fifth:]
        return (sum(last) / len(last)) / (sum(first) / len(first)) - 1 if own else 0.0

    def slope(self, part: str, after: float) -> float:
        """MiB a minute by which the memory of a part grows since `after` seconds, as a straight line."""
        own = [one for one in self.samples[part] if one.at >= after]
        if len(own) < 2:
            return 0.0
        return linear_regression([one.at / 60 for one in own], [one.memory for one in own]).slope

    def files(self, part: str, after: float) -> int:
        """By how many open files a part differs between the start and the end of what follows `after` seconds."""
        own = [one.files for one in self.samples[part] if one.at >= after]
        return own[-1] - own[0] if own else 0

    def memory(self) -> str:
        """The most that each part held, for people."""
        most = {part: max(one.memory for one in own) for part, own in self.samples.items()}
        return ", ".join(f"{part} {size:.0f}" for part, size in sorted(most.items())) + " MiB"


def _sample_of(family: list[int], at: float) -> Sample:
    memory = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in family) * PAGE / MIB
    files = sum(len([*Path(f"/proc/{pid}/fd").iterdir()]) for pid in family)
    return Sample(at, memory, sum(map(cpu_of, family)), files)


@contextlib.contextmanager
def metered(stack: Stack, every: float = 5.0) -> Iterator[Meter]:
    """Meanwhile samples of the stack's parts."""
    with Meter(stack, every) as meter:
        yield meter
