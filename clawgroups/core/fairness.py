"""How the members are shared when several runs want the same ones: each run gets its part of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from uuid import UUID

from clawgroups.core.matching import Candidate


@dataclass(frozen=True, slots=True)
class Wish:
    """So many ready tasks of another run that need these skills, of whichever of these members."""

    run_id: UUID
    skills: tuple[str, ...]
    tasks: int
    members: frozenset[UUID]


def allowance(candidates: Sequence[Candidate], wishes: Sequence[Wish], in_hand: int) -> int | None:
    """How many more tasks a run may give out now; None while no other run wants any of its members.

    A member's sessions are parted evenly among the runs that want it. What the others have no work for is anybody's.
    `in_hand`: how many tasks of this run are being worked on.
    """
    there = [c for c in candidates if c.is_there]
    wanting = {c.member_id: {wish.run_id for wish in wishes if _suits(c, wish)} for c in there}
    if not any(wanting.values()):
        return None
    part = sum(c.capacity / (1 + len(wanting[c.member_id])) for c in there)
    wanted = sum(wish.tasks for wish in wishes if any(_suits(c, wish) for c in there))
    left = sum(c.free for c in there) - wanted
    return max(ceil(part) - in_hand, left, 0)


def _suits(candidate: Candidate, wish: Wish) -> bool:
    return candidate.member_id in wish.members and _has(candidate, wish.skills)


def _has(candidate: Candidate, skills: Iterable[str]) -> bool:
    return all(skill in candidate.skills for skill in skills)
