"""Whom a round's tasks go to: rankings shared by equal needs, so that a long queue costs little. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from clawgroups.core.matching import Candidate, Match, Need, best, in_order, rank

Key = tuple[Need, str]


@dataclass
class _Ranking:
    matches: list[Match]
    stale: set[UUID] = field(default_factory=set)


class Choice:
    """The candidates of one round. `take` uses up a session; every later ranking counts with that."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = {c.member_id: c for c in candidates}
        self._rankings: dict[Key, _Ranking] = {}

    def ranking(self, need: Need, only: str = "") -> Sequence[Match]:
        """All candidates for a need, best first; with `only` just this member."""
        known = self._rankings.get((need, only))
        if known is None:
            allowed = [c for c in self._candidates.values() if not only or str(c.member_id) == only]
            known = self._rankings[need, only] = _Ranking(rank(need, allowed))
        elif known.stale:
            known.matches = self._ranked_again(need, known)
            known.stale.clear()
        return known.matches

    def must_wait(self, need: Need, only: str = "") -> bool:
        """Whether nobody with the skills has a session left, and somebody who may do it is only busy.

        Cheap for a need of its own (with members that failed or refused it), as long as its skills have been asked for.
        """
        plain = self.ranking(Need(need.skills))
        if best(plain) is not None:
            return False
        out = need.refused | need.authors
        return any(m.later and m.member_id not in out and (not only or str(m.member_id) == only) for m in plain)

    def take(self, member_id: UUID) -> None:
        """One of this member's sessions is used."""
        taken = self._candidates[member_id]
        self._candidates[member_id] = replace(taken, busy=taken.busy + 1)
        for ranking in self._rankings.values():
            ranking.stale.add(member_id)

    def _ranked_again(self, need: Need, known: _Ranking) -> list[Match]:
        """Only who was taken since stands elsewhere now; a member of another list is not in this one."""
        kept = [m for m in known.matches if m.member_id not in known.stale]
        there = known.stale.intersection(m.member_id for m in known.matches)
        moved = [match for pk in there for match in rank(need, [self._candidates[pk]])]
        return in_order([*kept, *moved], {pk: c.busy for pk, c in self._candidates.items()})
