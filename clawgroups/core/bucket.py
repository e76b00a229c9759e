"""How often something may happen: so many at once, and then so many a second."""

from __future__ import annotations


class Bucket:
    """Lets `rate` a second through, and `most` at once where that was saved up. It may be overdrawn by one taking."""

    def __init__(self, rate: float, most: float, now: float) -> None:
        self.rate, self.most = rate, most
        self._left, self._at = most, now

    def take(self, amount: float, now: float) -> float:
        """Take, and be told for how many seconds to take nothing more."""
        self._left = min(self.most, self._left + (now - self._at) * self.rate) - amount
        self._at = now
        return max(0.0, -self._left / self.rate)

    def offer(self, now: float) -> bool:
        """Take one where there is one."""
        if self.take(1.0, now) > 0.0:
            self._left += 1.0
            return False
        return True

    def is_full(self, now: float) -> bool:
        """Whether nothing was taken for so long that it is as new."""
        return self._left + (now - self._at) * self.rate >= self.most

    def wait(self, now: float) -> float:
        """For how many seconds there is none to take; takes nothing."""
        return max(0.0, (1.0 - self._left) / self.rate - (now - self._at))
