"""What a score is made of: named parts, each with its value and one plain sentence. All weights stand here. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, NamedTuple

from clawgroups.core.record import Tally

# Declared skill decides: a level is worth 2 points, a master of everything that is needed has 10.
SKILL = 10.0
# Free hands break ties between equally able members: as much as one level, for who has nothing to do.
FREE = 2.0
# Whoever has the thread of this very task picks it up with less loss than a better one who starts afresh.
PREFERRED = 5.0
# The plan has thought about it: as much as two levels, so that a clearly better one still comes first.
PROPOSED = 4.0
# The session of this task is still open; or the work that this builds on is known.
WARM = 2.0
KNOWS = 1.0
# The record moves the score by what the smoothed share of accepted work lies above or below the usual share.
RECORD = 10.0
USUAL_SHARE = 0.75
WEIGHT = 5  # of the usual share, in tries: one failure costs half a level, ten successes gain nearly one
# Twice as dear as usual costs this much, half as dear gains it; never more, as good work matters more.
COST = 1.0
FAILED_BEFORE = -6.0
FAILED_LATELY = -1.5  # for each of its last tasks that failed
# Each choice of a person counts a little, all of them together at most as much as one level.
LEARNED = 0.5
MOST_LEARNED = 2.0
# People are asked where agents cannot do it, or only far worse.
PERSON = -3.0
ANYTHING = ""  # the record of tasks that need no particular skill: everything that was done


class Part(NamedTuple):
    """One part of a score. `said` explains it in a few words that people understand."""

    name: str
    value: float
    said: str

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "value": round(self.value, 4) if self.value else 0.0, "said": self.said}


@dataclass(frozen=True, slots=True)
class Learned:
    """What people's choices say about one member for one kind of work."""

    value: float
    said: str


def edge(tally: Tally) -> float:
    """How far the share of accepted work lies from the usual one; near 0 while little is known (Bayesian smoothing)."""
    return round((tally.accepted + USUAL_SHARE * WEIGHT) / (tally.total + WEIGHT) - USUAL_SHARE, 3)


def dearness(cost: float | None, usual: float | None) -> float:
    """From -1 (half as dear as usual, or less) to 1 (twice as dear, or more); 0 where one of them is not known."""
    if not cost or not usual:
        return 0.0
    return round(max(-1.0, min(1.0, log2(cost) - log2(usual))), 3)


def skill_part(skills: Sequence[str], levels: Mapping[str, int]) -> Part:
    """Declared levels of the needed skills."""
    if not skills:
        return Part("skill", 0.0, "no particular skill is needed")
    has = [skill for skill in skills if levels.get(skill)]
    value = 0.0
    for skill in has:
        value += SKILL * levels[skill] / 5 / len(skills)
    return Part("skill", value, ", ".join(f"{skill} at level {levels[skill]} of 5" for skill in has))


def record_part(skills: Sequence[str], record: Mapping[str, Tally]) -> Part:
    """Accepted work against returned and failed work with the needed skills, in this workspace."""
    if not record:
        return Part("record", 0.0, "no record here yet")
    known = [(skill, record[skill]) for skill in skills or (ANYTHING,) if skill in record]
    if not known:
        return Part("record", 0.0, "no record here yet")
    value = RECORD * sum(edge(tally) for _, tally in known) / max(len(skills), 1)
    said = [f"{tally.accepted} of {tally.total}{f' with {skill}' if skill else ''}" for skill, tally in known]
    return Part("record", value, f"accepted {', '.join(said)}")


def load_part(busy: int, free: int, capacity: int) -> Part:
    """Hands that are free now."""
    said = "free" if busy == 0 else f"busy with {busy} of {capacity}"
    return Part("load", FREE * free / max(capacity, 1), said)


def cost_part(cost: float | None, usual: float | None) -> Part:
    """What an accepted task cost, against what is usual here."""
    if cost is None:
        return Part("cost", 0.0, "cost not known")
    said = f"about {cost:.2g} USD a task"
    if not cost or not usual:
        return Part("cost", 0.0, said)
    return Part("cost", -COST * dearness(cost, usual), f"{said}, usual here: {usual:.2g}")
