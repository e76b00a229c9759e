"""Floor of P5r: numpy scores 300 members for one task (48 skills), takes off a penalty for load, finds the best."""

from __future__ import annotations

import time

import numpy as np

from bench.matching import MEMBERS, levels_and_needs
from bench.swarm import arguments, begun, tell

AGAIN = 5  # so many times for each step


def main() -> None:
    told = arguments(__doc__)
    levels, needs = levels_and_needs(200, told.seed)
    load = np.random.default_rng(told.seed).random(MEMBERS).astype(np.float32)
    begun()
    started = time.perf_counter()
    for number in range(AGAIN * told.steps):
        int((levels @ needs[number % 200] - load).argmax())
    tell(again=(time.perf_counter() - started) / (AGAIN * told.steps))


if __name__ == "__main__":
    main()
