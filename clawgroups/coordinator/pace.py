"""How often this process takes turns on the same run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from uuid import UUID

APART = 0.25  # seconds between the beginnings of two turns: what happens meanwhile is seen to by one look


class Pace:
    """Turns on one run, `APART` seconds after each other; the first at once."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._begun: dict[UUID, float] = {}
        self._waiting: set[UUID] = set()

    def arrives(self, run_id: UUID) -> bool:
        """Wait until a turn may begin; False at once where somebody waits already, who will see all there is then."""
        with self._lock:
            if run_id in self._waiting:
                return False
            now = self._clock()
            self._begun = {run: at for run, at in self._begun.items() if at + APART > now}
            pause = self._begun.get(run_id, now - APART) + APART - now
            self._waiting.add(run_id)
        try:
            if pause > 0:
                self._sleep(pause)
        finally:
            with self._lock:
                self._waiting.discard(run_id)
                self._begun[run_id] = self._clock()
        return True
