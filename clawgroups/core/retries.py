"""How often work is tried, and what follows a try that failed: again, written anew, or a person. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from clawgroups.core.failures import PERSON_DECIDES, Failure, consequence

MAX_TRIES = 3
LEAST_BUDGET = 6
BUDGET_SHARE = 0.2
MAX_REGENERATED = 1


class Course(StrEnum):
    """How a task goes on."""

    AGAIN = "again"  # the next try
    ANEW = "anew"  # the coordinator rewrites or splits it first
    PERSON = "person"  # nobody goes on before a person has decided


@dataclass(frozen=True, slots=True)
class Standing:
    """What was used up when a try failed: the task's tries (this one too), and the run's retries of its tasks."""

    tries: int
    regenerated: int
    retries: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Next:
    """How a task goes on. `tries` is what then counts as used; `counts`: one more retry of the run."""

    course: Course
    tries: int
    counts: bool
    why: str


def retry_budget(tasks: int) -> int:
    """How many tries after the first a run of so many tasks may have in all."""
    return max(LEAST_BUDGET, ceil(tasks * BUDGET_SHARE))


def after_failure(failure: Failure, standing: Standing) -> Next:
    """What follows. `Next.why` is said to people.

    A task that may not be tried again keeps all its tries as used, so that nobody is asked by itself.
    """
    what = consequence(failure)
    if failure in PERSON_DECIDES:
        return Next(Course.PERSON, MAX_TRIES, False, what.next_step)
    if not what.burns:
        return Next(Course.AGAIN, min(max(standing.tries - 1, 0), MAX_TRIES - 1), False, what.next_step)
    budget = retry_budget(standing.tasks)
    if standing.retries >= budget:
        return Next(Course.PERSON, MAX_TRIES, False, f"the {budget} further tries of this run are used up")
    if what.retryable and standing.tries < MAX_TRIES:
        return Next(Course.AGAIN, standing.tries, True, what.next_step)
    if standing.regenerated < MAX_REGENERATED:
        return Next(Course.ANEW, MAX_TRIES, True, "it is written anew before it is tried again")
    return Next(Course.PERSON, MAX_TRIES, False, "it was written anew before, and that did not help either")


def back_off(tries: int, *, base: float, cap: float, chance: float) -> float:
    """Seconds before the next try: full jitter under a bound that doubles. `chance` is in [0, 1)."""
    return min(cap, base * 2.0 ** min(max(tries - 1, 0), 30)) * chance


def plea(why: str, reason: str) -> str:
    """What the person who must decide is told: what was used up, how the last try ended, and what can be done."""
    return (
        f"{why[:1].upper()}{why[1:]}. The last try: {reason.rstrip('.')}. "
        "Write it anew, give it to a member of your choice, take it over, or cancel it."
    )
