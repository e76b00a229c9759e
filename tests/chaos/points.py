"""The program of T14: `python -m tests.chaos.points [--sample N] [--seed S]`; see `tests.chaos.crash_points`."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from clawgroups.core.garbage import settle
from tests.chaos import one_life
from tests.chaos.crash_points import AFTER, BEFORE, Report

WORKERS = min(os.cpu_count() or 1, 4)


def chosen(commits: int, sample: int | None, seed: int) -> list[tuple[int, str]]:
    """The points to try, as (number of the commit, before or after it)."""
    every = [(n, kind) for n in range(1, commits + 1) for kind in (BEFORE, AFTER)]
    return every if sample is None else sorted(random.Random(seed).sample(every, min(sample, len(every))))


def _try(base: Path, folder: Path, clean: one_life.End, point: tuple[int, str]) -> tuple[list[str], ...]:
    """What was done twice, what is there again, and what is otherwise, when the process ends at this point."""
    try:
        end = one_life.stopped_at(base, folder / f"point-{os.getpid()}", *point)
    except AssertionError as fault:
        return [], [], [str(fault)]
    return end.doubled(), end.repeated(clean), end.differences(clean)


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
    settle()
    # Forked before there is any thread: the lives themselves are forked again.
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        tried = list(pool.map(partial(_try, base, folder, clean), points))
    doubled, repeated, differing = (sum(bool(one[part]) for one in tried) for part in range(3))
    faults = [
        f"{kind} commit {number}: {fault}"
        for (number, kind), one in zip(points, tried, strict=True)
        for part in one
        for fault in part
    ]
    took = round(time.monotonic() - started, 1)
    report = Report(len(points), clean.commits, doubled, repeated, differing, given.seed, took, tuple(faults[:50]))
    print(json.dumps(asdict(report)), flush=True)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
