"""T14: the coordinator is stopped at each commit boundary of a 30-task plan, started again, and goes on to the end.

`python -m tests.chaos.points [--sample N] [--seed S]`. One process lays down the base: a workspace, three agents
and a run of 30 tasks, in an SQLite file. Each point then has a copy of its own, in which a forked process works until
commit n and ends there by `os._exit`, just before the COMMIT or just after it; another process goes on from the
file. The agents live on, as they do behind a connector: what they were asked, what they did and what they answered
is theirs, on disk. In the end everything must be as if nobody had been stopped, and nothing was done twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Report:
    """What came of it. `points` were tried; in `doubled` of them a task was given or done twice, in `repeated` a
    message, deliverable, word or turn was there twice, in `differing` the end was another one."""

    points: int
    commits: int
    doubled: int
    repeated: int
    differing: int
    seed: int
    seconds: float
    faults: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.points > 0 and not (self.doubled or self.repeated or self.differing)


def crash_points(*, sample: int | None, seed: int) -> Report:
    """Try `sample` points chosen by `seed`, or (None) all of them, each before and after its commit."""
    with tempfile.TemporaryDirectory(prefix="claw-t14-") as folder:
        environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
        environment |= {"CLAWGROUPS_DATA": folder, "LOG_LEVEL": "CRITICAL"}
        command = [sys.executable, "-m", "tests.chaos.points", "--seed", str(seed)]
        command += ["--sample", str(sample)] if sample is not None else []
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise AssertionError(f"seed {seed}: crash points ended with {done.returncode}: {done.stderr[-3000:]}")
    said = json.loads(lines[-1])
    return Report(**{**said, "faults": tuple(said["faults"])})
