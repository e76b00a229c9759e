"""How far a turn has come, and when it is over: decided here, by counting, and never by the model alone. Pure."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agents.llm.base import Usage
from agents.swarm.limits import Limits

# What was read from a cache costs about a sixth of what was not.
_CACHED = 6
_LONGEST_ROUND = 4


class End(StrEnum):
    """Why a turn is over."""

    DONE = "done"
    STEPS = "steps"
    TOKENS = "tokens"
    TIME = "time"
    NO_PROGRESS = "no progress"


@dataclass(frozen=True, slots=True)
class Deed:
    """One step as the rules see it: what was called and what came of it, or the words where nothing was."""

    calls: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    words: str = ""
    failed: int = 0
    refused: bool = False

    def mark(self) -> str:
        """The same for the same calls with the same results, and for the same words where there are no calls."""
        said = [*sorted(self.calls), "", *self.results] if self.calls else [" ".join(self.words.casefold().split())]
        return hashlib.sha256("\0".join(said).encode("utf-8", "replace")).hexdigest()


@dataclass
class Course:
    """One turn. `took` every step, then ask `over`; `why` says it in words."""

    limits: Limits
    clock: Callable[[], float]
    steps: int = 0
    tokens: int = 0
    why: str = ""
    _done: bool = False
    _idle: int = 0
    _failing: int = 0
    _refused: int = 0
    _marks: deque[str] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.began = self.clock()
        self._marks = deque(maxlen=_LONGEST_ROUND * self.limits.repeats)

    def spent(self, usage: Usage) -> None:
        """A call of the model was paid for, whatever came of it."""
        cached = min(usage.cached, usage.prompt)
        self.tokens += usage.prompt - cached + cached // _CACHED + usage.completion

    def took(self, deed: Deed) -> None:
        """A step is over."""
        self.steps += 1
        self._marks.append(deed.mark())
        self._idle = 0 if deed.calls else self._idle + 1
        self._failing = self._failing + 1 if deed.calls and deed.failed == len(deed.calls) else 0
        self._refused = self._refused + 1 if deed.refused else 0

    def done(self) -> None:
        """The result was declared, and it is there."""
        self._done = True

    def over(self) -> End | None:
        """Why the turn is over; None while it goes on. The first that is true counts, a result before all."""
        limits = self.limits
        if self._done:
            return self._ends(End.DONE, "")
        if said := self._stuck():
            return self._ends(End.NO_PROGRESS, said)
        if self.steps >= limits.steps:
            return self._ends(End.STEPS, f"It has taken all {limits.steps} steps that a turn has.")
        if self.tokens >= limits.tokens:
            return self._ends(End.TOKENS, f"It has used the {limits.tokens:,} tokens that a turn has.")
        if self.clock() - self.began >= limits.seconds:
            return self._ends(End.TIME, f"Its {limits.seconds / 60:.0f} minutes are over.")
        return None

    def _ends(self, end: End, why: str) -> End:
        self.why = why
        return end

    def _stuck(self) -> str:
        limits = self.limits
        if self._refused >= limits.refused:
            return f"It said {self._refused} times that it is done, without a result that is there."
        if self._idle >= limits.idle:
            return f"It only talked, {self._idle} times in a row, and did nothing."
        if self._failing >= limits.failing:
            return f"Every call of its last {self._failing} steps failed."
        length = round_of(list(self._marks), limits.repeats)
        if length == 1:
            return f"It did the same {limits.repeats} times in a row, with the same outcome."
        return f"It went in a circle of {length} steps, {limits.repeats} times." if length else ""


def round_of(marks: Sequence[str], times: int) -> int:
    """The length of the shortest round that the end of a sequence is made of, so many times over; 0: of none."""
    for length in range(1, _LONGEST_ROUND + 1):
        end = list(marks[-length * times :])
        if len(end) == length * times and end == end[-length:] * times:
            return length
    return 0
