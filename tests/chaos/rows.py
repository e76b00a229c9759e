"""A row of the table: what a test did, what it found, and whether that is good enough."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

from tests.chaos.history import Verdict


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything: the full size of reliability.md 4A, or one that fits into a test run."""

    name: str
    agents: int
    tasks: int
    blows: int
    work: float  # seconds an agent takes for a task


FULL = "full"
CI = "ci"
NAMED_SEED = "CLAW_CHAOS_SEED"


def chosen_seed() -> int:
    """The seed that the environment names, else any; it is printed, so that a failure can be repeated."""
    seed = int(os.environ.get(NAMED_SEED) or random.SystemRandom().randrange(1_000_000))
    print(f"{NAMED_SEED}={seed}")
    return seed


@dataclass
class Row:
    """One test's findings. `measure` notes a figure with its pass line; `check` notes a condition."""

    test: str
    what: str
    stack: str
    seed: int
    verdict: Verdict = field(default_factory=Verdict)
    figures: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """A figure without a pass line."""
        self.figures.append(text)

    def measure(self, name: str, value: float, at_most: float, unit: str = "s") -> None:
        """A figure that must not pass a limit."""
        said = f"{name} {value:.1f} {unit} (<= {at_most:g})".replace(" )", ")")
        self.figures.append(said)
        if value > at_most:
            self.missed.append(said)

    def check(self, name: str, ok: bool) -> None:
        """A condition that must hold."""
        self.figures.append(name)
        if not ok:
            self.missed.append(f"not so: {name}")

    @property
    def passed(self) -> bool:
        return self.verdict.good and not self.missed

    def line(self) -> str:
        """As it is printed."""
        found = self.verdict
        counts = f"lost {found.lost}  doubled {found.doubled}  repeated {found.repeated}"
        end = "pass" if self.passed else "FAIL"
        return f"{self.test}  {self.what}  [{self.stack}, seed {self.seed}]  {counts}  {'; '.join(self.figures)}  {end}"

    def cells(self) -> list[str]:
        """As a row of a Markdown table."""
        found = self.verdict
        end = "pass" if self.passed else "**fail**"
        counts = [str(found.lost), str(found.doubled), str(found.repeated)]
        return [self.test, self.what, self.stack, str(self.seed), *counts, "; ".join(self.figures), end]

    def complaint(self) -> str:
        """Everything that is wrong, for a failed test."""
        return "\n".join([self.line(), *self.missed, *self.verdict.faults[:20]])


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of them do not pass; 0 without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
