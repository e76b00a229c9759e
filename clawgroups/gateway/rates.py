"""How much one agent may send: who sends more is read more slowly, and nobody else notices.

A bucket is an agent's, not a socket's: it is not full again because the agent has come back. That it costs bounded
memory does not hang on any of this; see `backlog` and the server's inbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from clawgroups.core.bucket import Bucket

FRAMES, FRAMES_AT_ONCE = 1000.0, 20_000.0  # a second, and saved up
BYTES, BYTES_AT_ONCE = 4.0 * 1024 * 1024, 64.0 * 1024 * 1024  # as much as a connector keeps while we are away
FLOOD = 300.0  # seconds over the rate, without a pause, after which it is no burst any more
KNOCKS, KNOCKS_AT_ONCE = 1.0, 60.0  # connections a second
MOST = 4096  # agents that are remembered

TOO_MUCH = (
    f"It sent more than {FRAMES:.0f} messages or {BYTES / 1024 / 1024:.0f} MiB a second for {FLOOD / 60:.0f} minutes."
)
TOO_OFTEN = "It connects too often; wait a minute."


class Rate:
    """What one agent has sent of late."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        now = clock()
        self._frames = Bucket(FRAMES, FRAMES_AT_ONCE, now)
        self._bytes = Bucket(BYTES, BYTES_AT_ONCE, now)
        self._knocks = Bucket(KNOCKS, KNOCKS_AT_ONCE, now)
        self._over_since: float | None = None

    def take(self, size: int) -> float:
        """A frame of this size was taken: seconds to wait before the next one."""
        now = self._clock()
        wait = max(self._frames.take(1.0, now), self._bytes.take(float(size), now))
        if wait == 0.0:
            self._over_since = None
        elif self._over_since is None:
            self._over_since = now
        return wait

    @property
    def floods(self) -> bool:
        """Whether it has been over the rate all the time for too long."""
        return self._over_since is not None and self._clock() - self._over_since > FLOOD

    def knock(self) -> bool:
        """Whether it may connect once more."""
        return self._knocks.offer(self._clock())

    @property
    def is_new(self) -> bool:
        """Whether forgetting it would change nothing."""
        now = self._clock()
        return all(bucket.is_full(now) for bucket in (self._frames, self._bytes, self._knocks))


class Rates:
    """Those of all agents that were here of late."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[UUID, Rate] = {}

    def of(self, agent_id: UUID) -> Rate:
        """This agent's."""
        found = self._known.get(agent_id)
        if found is None:
            if len(self._known) >= MOST:
                self._known = {pk: rate for pk, rate in self._known.items() if not rate.is_new}
            found = self._known[agent_id] = Rate(self._clock)
        return found


rates = Rates()
"""This process's."""
