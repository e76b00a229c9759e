"""How long to wait before the next try."""

from __future__ import annotations

import random

FIRST = (0.5, 8.0)
# A server that restarts is away for longer than many a first try waits, and back before most of these.
SOON = (2.0, 5.0)
SOON_TRIES = 2
LONGEST = 30.0


class Backoff:
    """Waiting times for one connection: spread out first, since a server that restarts loses everyone at
    once.
    """

    def __init__(self, scale: float = 1.0, rng: random.Random | None = None) -> None:
        self._scale = scale
        self._rng = rng or random.Random()
        self._tries = 0

    def next(self) -> float:
        """Seconds until the next try: 0.5 to 8 at full jitter, twice 2 to 5, then 4 to 8, doubling up to 30."""
        self._tries += 1
        if self._tries == 1:
            return self._rng.uniform(*FIRST) * self._scale
        if self._tries <= 1 + SOON_TRIES:
            return self._rng.uniform(*SOON) * self._scale
        longest = min(LONGEST, FIRST[1] * 2 ** min(self._tries - 2 - SOON_TRIES, 8))
        return self._rng.uniform(longest / 2, longest) * self._scale

    def reset(self) -> None:
        """The connection has proven itself; the next loss starts from the beginning."""
        self._tries = 0


def retry_delay(attempt: int, scale: float = 1.0) -> float:
    """Seconds to wait after the `attempt`-th (from 1) failed try of one small operation: 1, 2, 4, 8."""
    return float(2 ** min(attempt - 1, 3)) * scale
