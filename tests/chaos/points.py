"""The program of T14: `python -m tests.chaos.points [--sample N] [--seed S]`; see `tests.chaos.crash_points`."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from tests.chaos import one_life
from tests.chaos.crash_points import AFTER, BEFORE, Report


def chosen(commits: int, sample: int | None, seed: int) -> list[tuple[int, str]]:
    """The points to try, as (number of the commit, before or after it)."""
    every = [(n, kind) for n in range(1, commits + 1) for kind in (BEFORE, AFTER)]
    return every if sample is None else sorted(random.Random(seed).sample(every, min(sample, len(every))))


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.points")
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
