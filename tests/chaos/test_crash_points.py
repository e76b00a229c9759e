"""T14 at a reduced size; `python -m tests.chaos.points` tries every commit."""

from __future__ import annotations

import random

from tests.chaos.crash_points import crash_points

SAMPLE = 3


def test_a_coordinator_stopped_at_any_commit_of_a_plan_loses_and_repeats_nothing() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"python -m tests.chaos.points --sample {SAMPLE} --seed {seed}")
    report = crash_points(sample=SAMPLE, seed=seed)
    assert report.passed, "\n".join([f"seed {seed}", *report.faults])
    assert (report.points, report.commits >= 150) == (SAMPLE, True)
