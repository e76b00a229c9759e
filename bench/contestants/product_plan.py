"""Claw Groups: a full plan of 4,000 tasks for 300 members of 14 sessions each (P5), and one task given anew (P5r).

The plan is a matrix of scores, as the floors have it; the single task goes through the roster with all its rules.
"""

from __future__ import annotations

import time
from uuid import UUID

import numpy as np

from bench.matching import CAPACITY, MEMBERS, NEEDED, SKILLS, instance
from bench.swarm import arguments, begun, tell
from clawgroups.core.assignment import assign, total
from clawgroups.core.matching import Candidate, Need
from clawgroups.core.roster import Roster


def main() -> None:
    told = arguments(__doc__)
    scores = instance(told.steps, told.seed).astype(np.float64)
    free = np.full(MEMBERS, CAPACITY)
    begun()
    started = time.perf_counter()
    given = assign(scores, free)
    seconds = time.perf_counter() - started
    assert (given >= 0).all()
    assert np.bincount(given, minlength=MEMBERS).max() <= CAPACITY
    tell(steps=told.steps, seconds=seconds, score=total(scores, given), again=reassigned(told.seed, told.steps // 2))


def reassigned(seed: int, times: int) -> float:
    """Seconds to find the next best member for one stalled task, of 300 that are in part busy."""
    dice = np.random.default_rng(seed)
    people = [
        Candidate(
            UUID(int=n + 1),
            f"Agent {n}",
            {f"s{skill}": int(dice.integers(1, 6)) for skill in dice.choice(SKILLS, 24, replace=False)},
            busy=int(dice.integers(0, 4)),
            capacity=4,
        )
        for n in range(MEMBERS)
    ]
    roster = Roster(people)
    needs = [
        Need(
            tuple(f"s{skill}" for skill in dice.choice(SKILLS, NEEDED, replace=False)),
            failed=frozenset({UUID(int=int(dice.integers(1, MEMBERS)))}),
        )
        for _ in range(20)
    ]
    for need in needs:
        roster.best(need)
    started = time.perf_counter()
    for number in range(times):
        roster.best(needs[number % len(needs)])
    return (time.perf_counter() - started) / times


if __name__ == "__main__":
    main()
