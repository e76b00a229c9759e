"""What the matching learns when people choose somebody else than it proposed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from clawgroups.core.match_parts import LEARNED, MOST_LEARNED, Learned

DAYS = 90
MOST = 200  # of the newest choices


@dataclass(frozen=True, slots=True)
class Chosen:
    """A person chose one member over another for a task of these skills."""

    skills: frozenset[str]
    by: str
    chosen: UUID
    chosen_name: str
    passed: UUID
    passed_name: str


def learned(choices: Iterable[Chosen], skills: Sequence[str]) -> dict[UUID, Learned]:
    """For tasks of exactly these skills: who was chosen moves up a little, who was passed over moves down."""
    here = [one for one in choices if one.skills == frozenset(skills)]
    values: Counter[UUID] = Counter()
    said: dict[UUID, Counter[str]] = {}
    for one in here:
        values[one.chosen] += 1
        values[one.passed] -= 1
        words = f"{one.by} chose {one.chosen_name} over {one.passed_name} for this kind of work"
        for member in (one.chosen, one.passed):
            said.setdefault(member, Counter())[words] += 1
    return {
        member: Learned(max(-MOST_LEARNED, min(MOST_LEARNED, LEARNED * number)), _most_said(said[member]))
        for member, number in values.items()
        if number
    }


def _most_said(counted: Counter[str]) -> str:
    """The choice that was made most often, the first by its words of several, and that there were others."""
    words, times = min(counted.items(), key=lambda one: (-one[1], one[0]))
    often = {1: "", 2: " twice"}.get(times, f" {times} times")
    return f"{words}{often}{', and the like' if len(counted) > 1 else ''}"
