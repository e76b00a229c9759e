"""The members of a round as arrays: whom its tasks go to, and why. It ranks as `matching.rank`, far quicker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from clawgroups.core.assignment import NOBODY, Given, Sessions, assign
from clawgroups.core.match_parts import (
    ANYTHING,
    COST,
    FAILED_BEFORE,
    FAILED_LATELY,
    FREE,
    PERSON,
    PREFERRED,
    PROPOSED,
    RECORD,
    SKILL,
    dearness,
    edge,
)
from clawgroups.core.matching import DIGITS, Candidate, Match, Need, Standing, judge, standing, warmth

FEWEST_WEIGHED = 16  # tasks that are looked at together, however few sessions there are
SHOWN = 4  # of the runners-up, and of those who are out
KEPT = "leaves those who fit better to work that needs them more"
_LESS_BUSY = 1e-9  # of equal scores, the less busy one
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Fit:
    """What skills alone say, declared and proven: their share of the score, and who could work if it were free."""

    score: Numbers
    able: Flags


class Roster:
    """The candidates of one round. `take` uses up a session; every later answer counts with that."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        # Of equals the first is chosen: by name.
        self._people = sorted(candidates, key=lambda c: (c.name, str(c.member_id)))
        self._at = {c.member_id: number for number, c in enumerate(self._people)}
        self._free = np.array([c.free for c in self._people], dtype=np.intp)
        self._has_free = self._free > 0
        # What being busy takes off a score: so little that it decides between equal ones alone.
        self._load = _LESS_BUSY * np.array([c.busy for c in self._people], dtype=np.float64)
        self._capacity = np.array([max(c.capacity, 1) for c in self._people], dtype=np.float64)
        # What no task and no other task in hand changes.
        self._always = np.array([_always(c) for c in self._people], dtype=np.float64)
        self._shaky = np.array([c.is_shaky for c in self._people], dtype=np.bool_)
        self._persons = np.array([c.is_person for c in self._people], dtype=np.bool_)
        self._there = np.array([c.is_there for c in self._people], dtype=np.bool_)
        self._with: dict[str, tuple[Numbers, Flags, Numbers]] = {}
        self._fits: dict[tuple[str, ...], _Fit] = {}
        self._now: dict[tuple[str, ...], Numbers] = {}
        self._whose: dict[tuple[str, ...], tuple[bool, bool]] = {}

    def best(self, need: Need) -> Match | None:
        """Whom a task would go to, were it the only one; None when nobody can take it now."""
        scores = self._scores(need)
        if not scores.size or scores[number := int(scores.argmax())] == -np.inf:
            return None
        return judge(need, self._people[number])

    def share_out(self, needs: Sequence[Need], most: int | None = None) -> list[UUID | None]:
        """Whom each of these tasks goes to, the most urgent first; at most `most` of them. Nothing is taken by that."""
        if not needs or not self._free.any():
            return [None] * len(needs)
        first = needs[: 2 * int(self._free.sum()) + FEWEST_WEIGHED]
        given = self._given(first)
        if len(first) < len(needs):
            left = self._free - np.bincount(given[given != NOBODY], minlength=len(self._people))
            # Where no session is left that any task could have, as many are served as can be, and the most urgent.
            if self._could_take(needs, left):
                given = self._given(needs)
            else:
                given = np.append(given, np.full(len(needs) - len(first), NOBODY))
        given[np.flatnonzero(given != NOBODY)[most:] if most is not None else []] = NOBODY
        return [None if number == NOBODY else self._people[number].member_id for number in given]

    def _given(self, needs: Sequence[Need]) -> Given:
        scores = np.stack([self._shared(need) for need in needs])
        return assign(scores, self._free, FREE / self._capacity)

    def _could_take(self, needs: Iterable[Need], left: Sessions) -> bool:
        """Whether one of these sessions could be for one of these needs, by skills alone."""
        if any(need.only for need in needs):
            return True  # Whoever was chosen needs no skills.
        return any((self._fit(skills).able & (left > 0)).any() for skills in {need.skills for need in needs})

    def anybody(self, need: Need) -> bool:
        """Whether somebody can do it, be it later, with a free session: only waiting is needed."""
        return self._who(need)[0]

    def only_people(self, need: Need) -> bool:
        """Whether somebody can do it with a free hand, and nobody of those is an agent."""
        return self._who(need)[1]

    def _who(self, need: Need) -> tuple[bool, bool]:
        """The answers to both, kept for those that skills alone decide: nearly all of those that wait."""
        if need.only or _barred(need):
            return self._whoever(need)
        known = self._whose.get(need.skills)
        if known is None:
            known = self._whose[need.skills] = self._whoever(need)
        return known

    def _whoever(self, need: Need) -> tuple[bool, bool]:
        able = self._able(need)
        anybody = bool(able.any())
        return anybody, anybody and not (able & ~self._persons).any()

    def take(self, member_id: UUID) -> None:
        """One of this member's sessions is used."""
        number = self._at[member_id]
        taken = self._people[number]
        self._people[number] = replace(taken, busy=taken.busy + 1)
        self._free[number] = self._people[number].free
        self._has_free[number] = self._free[number] > 0
        self._load[number] = _LESS_BUSY * self._people[number].busy  # to the bit as it is for others: ties go by name
        self._now.clear()

    def shown(self, need: Need, chosen: UUID | None = None) -> dict[str, Any]:
        """A ranking as it is stored with the task: the chosen, the runners-up, who is out and why."""
        order, free = self._order(need)
        fits, out = [n for n in order if free[n]], [n for n in order if not free[n]]
        match = None
        if chosen is not None:
            match = judge(need, self._people[self._at[chosen]])
            if fits[0] != self._at[chosen]:
                match = replace(match, reasons=(*match.reasons, KEPT))
        raw = self._judged(need)[0]
        others = [n for n in fits if self._people[n].member_id != chosen]
        return {
            "chosen": match.as_json() if match else None,
            "runners_up": [judge(need, self._people[n]).as_json() for n in others[:SHOWN]],
            "out": [standing(need, self._people[n]).as_json(float(raw[n])) for n in out[:SHOWN]],
        }

    def ranking(self, need: Need) -> list[Match]:
        """Everybody who may be asked, each judged for this need, best first; those who are out come last."""
        order, free = self._order(need)
        return [judge(need, self._people[n]) for n in sorted(order, key=lambda number: not free[number])]

    def standings(self, need: Need) -> list[Standing]:
        """The same without what each is worth, for whoever only asks why nobody gets it."""
        order, free = self._order(need)
        return [standing(need, self._people[n]) for n in sorted(order, key=lambda number: not free[number])]

    def _order(self, need: Need) -> tuple[list[int], Flags]:
        """The members' places from the best on, and who can take it now."""
        raw, able = self._judged(need)
        order = np.lexsort((self._load, -raw, self._doubtful(need) & need.last_try))
        if need.only:
            order = order[np.isin(order, self._places({need.only}))]
        return order.tolist(), self._open(need, able)

    def _open(self, need: Need, able: Flags) -> Flags:
        """Who can take it now; before a last try nobody, while those who are sound are all busy."""
        now = able & self._has_free
        if need.last_try:
            sound = able & ~self._doubtful(need)
            if (sound & ~self._persons).any() and not (now & sound).any():
                now[:] = False
        return now

    def _scores(self, need: Need) -> Numbers:
        """What each member is worth for this need; `-inf` for who shall not get it now."""
        raw, able = self._judged(need)
        now = self._open(need, able)
        if need.last_try and (sound := now & ~self._doubtful(need)).any():
            now = sound
        return np.where(now, raw - self._load, -np.inf)

    def _shared(self, need: Need) -> Numbers:
        """The scores by which tasks are shared out: a person only where no agent fits as well, be it later."""
        scores = self._scores(need)
        if not self._persons.any():
            return scores
        raw, able = self._judged(need)
        agents = able & ~self._persons
        if need.last_try:
            # A person is asked before an agent that failed at it, or lately, gets the last try.
            agents &= ~self._doubtful(need)
        if agents.any():
            if_free = raw + FREE * (1 - self._free / self._capacity)
            scores = np.where(self._persons & (raw <= if_free[agents].max()), -np.inf, scores)
        return scores

    def _judged(self, need: Need) -> tuple[Numbers, Flags]:
        """Everybody's score, and who could take it with a free session."""
        known = self._now.get(need.skills)
        if known is None:
            fit = self._fit(need.skills)
            raw = fit.score + FREE * self._free / self._capacity + self._always
            known = self._now[need.skills] = np.round(raw, DIGITS)
        told = dict[int, float]()
        for member, worth in _told(need):
            if (number := self._at.get(member)) is not None:
                told[number] = told.get(number, 0.0) + worth
        if not told:
            return known, self._able(need)
        raw = known.copy()
        for number, worth in told.items():
            raw[number] = round(known.item(number) + worth, DIGITS)
        return raw, self._able(need)

    def _able(self, need: Need) -> Flags:
        """Who could take it with a free session."""
        able = self._fit(need.skills).able
        barred = _barred(need)
        if need.only:
            able = np.zeros_like(able)
            for number in self._places({need.only}):
                seen = standing(need, self._people[number])
                able[number] = seen.later or not seen.excluded
        elif barred:
            able = able.copy()
            able[self._places(barred)] = False
        return able

    def _places(self, members: Iterable[UUID | None]) -> list[int]:
        return [self._at[one] for one in members if one in self._at]

    def _doubtful(self, need: Need) -> Flags:
        doubtful = self._shaky.copy()
        doubtful[self._places(need.failed)] = True
        doubtful[self._places({need.preferred})] = False
        return doubtful

    def _fit(self, skills: tuple[str, ...]) -> _Fit:
        known = self._fits.get(skills)
        if known is None:
            score = np.zeros(len(self._people))
            able = self._there.copy()
            for skill in skills:
                levels, has, edges = self._with_skill(skill)
                score += (SKILL * levels / 5 + RECORD * edges) / len(skills)
                able &= has
            if not skills:
                score += RECORD * self._with_skill(ANYTHING)[2]
            known = self._fits[skills] = _Fit(score, able)
        return known

    def _with_skill(self, skill: str) -> tuple[Numbers, Flags, Numbers]:
        """Everybody's level of a skill, who has it, and how their record with it differs from the usual one."""
        known = self._with.get(skill)
        if known is None:
            levels = np.array([c.skills.get(skill, 0) for c in self._people], dtype=np.float64)
            has = np.array([skill in c.skills for c in self._people], dtype=np.bool_)
            records = (c.record.get(skill) for c in self._people)
            edges = np.array([edge(tally) if tally else 0.0 for tally in records], dtype=np.float64)
            known = self._with[skill] = levels, has, edges
        return known


def _barred(need: Need) -> frozenset[UUID]:
    """Who cannot get it, whatever their skills."""
    return need.refused | need.authors | need.by_rules | need.asked


def _told(need: Need) -> Iterator[tuple[UUID, float]]:
    """What a need says of single members."""
    if need.preferred:
        yield need.preferred, PREFERRED
    if need.proposed:
        yield need.proposed, PROPOSED
    for member in need.failed:
        yield member, FAILED_BEFORE
    for member in need.warm | need.knows:
        yield member, warmth(need, member)
    for member, learned in need.learned.items():
        yield member, learned.value


def _always(one: Candidate) -> float:
    cost = -COST * dearness(one.cost, one.usual_cost)
    return FAILED_LATELY * one.failures + cost + (PERSON if one.is_person else 0.0)
