"""Who gets a task: a pure ranking, each score with its parts (`match_parts`), each exclusion with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from uuid import UUID

from clawgroups.core.match_parts import (
    FAILED_BEFORE,
    FAILED_LATELY,
    KNOWS,
    PERSON,
    PREFERRED,
    PROPOSED,
    WARM,
    Learned,
    Part,
    cost_part,
    load_part,
    record_part,
    skill_part,
)
from clawgroups.core.record import Tally

OFFLINE = "is offline"
NEEDS_LOGIN = "needs a login on its own machine"
UNCONFIRMED = "was asked to stop and has not confirmed it"
QUARANTINED = "is in quarantine, as it keeps failing, until its owner clears it"
RESTING = "gets no work, as it keeps failing"
SPENT = "has used up its limit of this month"
OVER_QUOTA = "has used up the quota of its provider"
OUT_OF_HOURS = "is outside the hours they gave"
ASKED = "was asked, and did not take it"
BY_RULES = "works by rules, and writes nothing freely"
DIGITS = 6  # scores that differ by less are equal
DOUBTFUL = "has failed lately, and this is the last try"


@dataclass(frozen=True, slots=True)
class Need:
    """What a task asks for. `refused` are members that cannot get it, with the reason."""

    skills: tuple[str, ...]
    preferred: UUID | None = None
    failed: frozenset[UUID] = frozenset()
    refused: frozenset[UUID] = frozenset()
    # Authors of what is to be reviewed: nobody reviews their own work.
    authors: frozenset[UUID] = frozenset()
    # Of what has to be written freely: who works by rules.
    by_rules: frozenset[UUID] = frozenset()
    # The one member that a person asked for.
    only: UUID | None = None
    last_try: bool = False
    # Whom the plan or a person proposes, and why.
    proposed: UUID | None = None
    proposal: str = ""
    # Who has its session still open, and who did the work that it builds on.
    warm: frozenset[UUID] = frozenset()
    knows: frozenset[UUID] = frozenset()
    # People who were asked whether they would do it, and did not answer in time.
    asked: frozenset[UUID] = frozenset()
    # What people's choices say of this kind of work.
    learned: Mapping[UUID, Learned] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member as the matching sees it. `busy` of `capacity` sessions are in use."""

    member_id: UUID
    name: str
    skills: dict[str, int] = field(default_factory=dict)
    online: bool = True
    busy: int = 0
    capacity: int = 1
    can_work: bool = True
    # Its owner must sign in on the agent's own machine first.
    needs_login: bool = False
    # It was asked to stop a turn and has not said that it did.
    unconfirmed: bool = False
    # How many of its last tasks failed, whether it is on trial with one task, and why it gets none at all.
    failures: int = 0
    on_trial: bool = False
    rests: str = ""
    # What became of its work here lately, by skill; what an accepted task of it cost, and costs usually, in USD.
    record: Mapping[str, Tally] = field(default_factory=dict)
    cost: float | None = None
    usual_cost: float | None = None
    # A person is asked, and never given a task.
    is_person: bool = False

    @property
    def free(self) -> int:
        """How many tasks it may be given now."""
        return max((min(self.capacity, 1) if self.on_trial else self.capacity) - self.busy, 0)

    @property
    def is_there(self) -> bool:
        """Whether it may and can work at all, be it busy or not."""
        away = not self.online or self.needs_login or self.unconfirmed or bool(self.rests)
        return self.can_work and not away

    @property
    def is_shaky(self) -> bool:
        """Whether it failed lately."""
        return self.failures > 0 or self.on_trial


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate's place: a score, which is the sum of its parts, or why it is out."""

    member_id: UUID
    name: str
    score: float
    reasons: tuple[str, ...]
    excluded: str = ""
    # True when only waiting is needed: it fits and is online, but all its sessions are in use.
    later: bool = False
    # It failed at this task or lately, and nobody asked for it all the same.
    doubtful: bool = False
    parts: tuple[Part, ...] = ()
    is_person: bool = False

    def as_json(self) -> dict[str, Any]:
        """As it is stored with the task."""
        said = {
            "member": str(self.member_id),
            "name": self.name,
            "score": round(self.score, 2),
            "reasons": list(self.reasons),
            "excluded": self.excluded,
            "parts": [part.as_json() for part in self.parts],
        }
        if self.is_person:
            said["person"] = True
        return said


class Standing(NamedTuple):
    """Whether a member could get a task, without what it is worth."""

    member_id: UUID
    name: str
    excluded: str
    later: bool

    def as_json(self, score: float) -> dict[str, Any]:
        """As it is stored with the task, for who is out: without parts."""
        told = {"member": str(self.member_id), "name": self.name, "score": round(score, 2)}
        return {**told, "reasons": [], "excluded": self.excluded}


def rank(need: Need, candidates: Sequence[Candidate]) -> list[Match]:
    """All candidates, best first; excluded ones last, each with its reason. `roster.Roster` does the same for many.

    Equal scores are ordered by load, then name, so that the same situation gives the same answer.
    """
    busy = {c.member_id: c.busy for c in candidates}
    matches = [judge(need, one) for one in candidates if need.only in (None, one.member_id)]
    matches.sort(key=lambda m: (-m.score, busy[m.member_id], m.name, str(m.member_id)))
    if need.last_try:
        matches = _for_the_last_try(matches)
    return sorted(matches, key=lambda m: bool(m.excluded))


def best(matches: Sequence[Match]) -> Match | None:
    """The first that is not excluded."""
    return next((m for m in matches if not m.excluded), None)


def _for_the_last_try(matches: Sequence[Match]) -> list[Match]:
    """The doubtful ones behind the others; while the others are all busy, nobody. No agent waits for a person."""
    sound = [m for m in matches if not m.doubtful]
    if best(sound) is None and any(m.later and not m.is_person for m in sound):
        matches = [m if m.excluded else replace(m, excluded=DOUBTFUL) for m in matches]
    return sorted(matches, key=lambda m: m.doubtful)


def judge(need: Need, candidate: Candidate) -> Match:
    """What one candidate is worth for a need, part by part, or why it is out."""
    _, _, excluded, later = standing(need, candidate)
    parts = (
        skill_part(need.skills, candidate.skills),
        record_part(need.skills, candidate.record),
        load_part(candidate.busy, candidate.free, candidate.capacity),
        cost_part(candidate.cost, candidate.usual_cost),
        *_of_the_need(need, candidate.member_id),
        *_failures(need, candidate),
    )
    if candidate.is_person:
        parts += (Part("person", PERSON, "a person; agents go first"),)
    reasons = [part.said for part in parts if part.said and (part.value or part.name in ("skill", "load"))]
    if candidate.on_trial:
        reasons.append("is on trial with one task")
    bad = candidate.is_shaky or candidate.member_id in need.failed
    return Match(
        candidate.member_id,
        candidate.name,
        round(sum(part.value for part in parts), DIGITS),
        tuple(reasons),
        excluded,
        later,
        doubtful=bad and candidate.member_id != need.preferred,
        parts=parts,
        is_person=candidate.is_person,
    )


def warmth(need: Need, member_id: UUID) -> float:
    """What a member knows of this work by what it has done for it."""
    return WARM if member_id in need.warm else KNOWS if member_id in need.knows else 0.0


def _of_the_need(need: Need, member_id: UUID) -> list[Part]:
    """What speaks for this member and this very task."""
    found = []
    if need.preferred and member_id == need.preferred:
        found.append(Part("before", PREFERRED, "worked on it before and knows it"))
    if value := warmth(need, member_id):
        said = "has its session still open" if member_id in need.warm else "did work that it builds on"
        found.append(Part("warm", value, said))
    if need.proposed and member_id == need.proposed:
        found.append(Part("proposed", PROPOSED, need.proposal or "the plan proposes it"))
    if told := need.learned.get(member_id):
        found.append(Part("learned", told.value, told.said))
    return found


def _failures(need: Need, candidate: Candidate) -> list[Part]:
    """What speaks against it: this task before, its last tasks."""
    found = []
    if candidate.member_id in need.failed:
        found.append(Part("failed before", FAILED_BEFORE, "did not finish it before"))
    if candidate.failures:
        said = f"failed {candidate.failures} of its last tasks"
        found.append(Part("failures", FAILED_LATELY * candidate.failures, said))
    return found


def standing(need: Need, candidate: Candidate) -> Standing:
    """Whether a candidate is out, and why."""
    missing = [s for s in need.skills if s not in candidate.skills]
    return Standing(candidate.member_id, candidate.name, *_exclusion(need, candidate, missing))


def _exclusion(need: Need, candidate: Candidate, missing: list[str]) -> tuple[str, bool]:
    if not candidate.can_work:
        return "has no right to work here", False
    if missing:
        return f"lacks {', '.join(missing)}", False
    away = (
        (candidate.member_id in need.refused, "refused it before"),
        (candidate.member_id in need.authors, "is the author of what is to be reviewed"),
        (candidate.member_id in need.by_rules, BY_RULES),
        (candidate.member_id in need.asked, ASKED),
        (not candidate.online, OFFLINE),
        (candidate.needs_login, NEEDS_LOGIN),
        (candidate.unconfirmed, UNCONFIRMED),
    )
    for is_so, reason in away:
        if is_so:
            return reason, False
    # Whom a person asks for by name is asked at any hour.
    if candidate.rests and not (candidate.rests == OUT_OF_HOURS and need.only == candidate.member_id):
        return candidate.rests, False
    if not candidate.free:
        trial = " and on trial with one task" if candidate.on_trial else ""
        return f"is busy with {candidate.busy} of {candidate.capacity}{trial}", True
    return "", False
