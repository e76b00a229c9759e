"""T14: the coordinator is stopped at each commit boundary of a 30-task plan, started again, and goes on to the end.

`python -m tests.chaos.crash_points [--sample N] [--seed S]`. One process lays down the base: a workspace, three agents
and a run of 30 tasks, in an SQLite file. Each point then has a copy of its own, in which a forked process works until
commit n and ends there by `os._exit`, just before the COMMIT or just after it; another process goes on from the
file. The agents live on, as they do behind a connector: what they were asked, what they did and what they answered
is theirs, on disk. In the end everything must be as if nobody had been stopped, and nothing was done twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
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
        command = [sys.executable, "-m", "tests.chaos.crash_points", "--seed", str(seed)]
        command += ["--sample", str(sample)] if sample is not None else []
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise AssertionError(f"seed {seed}: crash points ended with {done.returncode}: {done.stderr[-3000:]}")
    said = json.loads(lines[-1])
    return Report(**{**said, "faults": tuple(said["faults"])})


def chosen(commits: int, sample: int | None, seed: int) -> list[tuple[int, str]]:
    """The points to try, as (number of the commit, before or after it)."""
    every = [(n, kind) for n in range(1, commits + 1) for kind in (BEFORE, AFTER)]
    return every if sample is None else sorted(random.Random(seed).sample(every, min(sample, len(every))))


def main(arguments: list[str]) -> int:
    from tests.chaos import one_life

    options = argparse.ArgumentParser(prog="python -m tests.chaos.crash_points")
    options.add_argument("--sample", type=int)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = options.parse_args(arguments)
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="points-", dir=os.environ.get("CLAWGROUPS_DATA")))
    base = one_life.lay_down(folder / "base")
    clean = one_life.to_the_end(base, folder / "clean")
    points = chosen(clean.commits, given.sample, given.seed)
    doubled = repeated = differing = 0
    faults: list[str] = []
    for number, kind in points:
        end = one_life.stopped_at(base, folder / "point", number, kind)
        twice, again, other = end.doubled(), end.repeated(clean), end.differences(clean)
        doubled, repeated, differing = doubled + bool(twice), repeated + bool(again), differing + bool(other)
        faults += [f"{kind} commit {number}: {fault}" for fault in (*twice, *again, *other)]
    took = round(time.monotonic() - started, 1)
    report = Report(len(points), clean.commits, doubled, repeated, differing, given.seed, took, tuple(faults[:50]))
    print(json.dumps(asdict(report)), flush=True)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
