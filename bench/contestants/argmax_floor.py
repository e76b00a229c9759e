"""Floor of P5r: numpy looks through 300 scores of one task, with a penalty for load."""

from __future__ import annotations

import time

import numpy as np

from bench.matching import MEMBERS, instance
from bench.swarm import arguments, begun, tell

AGAIN = 20_000


def main() -> None:
    told = arguments(__doc__)
    scores = instance(200, told.seed)
    load = np.random.default_rng(told.seed).random(MEMBERS).astype(np.float32)
    begun()
    started = time.perf_counter()
    for number in range(AGAIN):
        int((scores[number % 200] - load).argmax())
    tell(again=(time.perf_counter() - started) / AGAIN)


if __name__ == "__main__":
    main()
