"""Who gets a task: a pure ranking with reasons (declared skills, availability, load, permission)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

# Weights: skill fit decides; the rest breaks ties between equally able members.
SKILL = 10.0
FREE = 2.0
PREFERRED = 5.0
FAILED_BEFORE = -6.0
FAILED_LATELY = -1.5  # for each of its last tasks that failed
OFFLINE = "is offline"
NEEDS_LOGIN = "needs a login on its own machine"
UNCONFIRMED = "was asked to stop and has not confirmed it"
QUARANTINED = "is in quarantine, as it keeps failing, until its owner clears it"
RESTING = "gets no work, as it keeps failing"
SPENT = "has used up its limit of this month"
OVER_QUOTA = "has used up the quota of its provider"
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
    # The one member that a person asked for.
    only: UUID | None = None
    last_try: bool = False


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
    """A candidate's place: a score with its reasons, or why it is out."""

    member_id: UUID
    name: str
    score: float
    reasons: tuple[str, ...]
    excluded: str = ""
    # True when only waiting is needed: it fits and is online, but all its sessions are in use.
    later: bool = False
    # It failed at this task or lately, and nobody asked for it all the same.
    doubtful: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "member": str(self.member_id),
            "name": self.name,
            "score": round(self.score, 2),
            "reasons": list(self.reasons),
            "excluded": self.excluded,
        }


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
    """The doubtful ones behind the others; while the others are all busy, nobody."""
    sound = [m for m in matches if not m.doubtful]
    if best(sound) is None and any(m.later for m in sound):
        matches = [m if m.excluded else replace(m, excluded=DOUBTFUL) for m in matches]
    return sorted(matches, key=lambda m: m.doubtful)


def judge(need: Need, candidate: Candidate) -> Match:
    """What one candidate is worth for a need, with the reasons, or why it is out."""
    missing = [s for s in need.skills if s not in candidate.skills]
    excluded, later = _exclusion(need, candidate, missing)
    reasons: list[str] = []
    score = 0.0
    for skill in need.skills:
        if level := candidate.skills.get(skill):
            score += SKILL * level / 5 / len(need.skills)
            reasons.append(f"{skill} at level {level} of 5")
    if not need.skills:
        reasons.append("no particular skill is needed")
    score += FREE * candidate.free / max(candidate.capacity, 1)
    reasons.append("free" if candidate.busy == 0 else f"busy with {candidate.busy} of {candidate.capacity}")
    if candidate.member_id == need.preferred:
        score += PREFERRED
        reasons.append("worked on it before and knows it")
    if candidate.member_id in need.failed:
        score += FAILED_BEFORE
        reasons.append("did not finish it before")
    if candidate.failures:
        score += FAILED_LATELY * candidate.failures
        reasons.append(f"failed {candidate.failures} of its last tasks")
    if candidate.on_trial:
        reasons.append("is on trial with one task")
    bad = candidate.is_shaky or candidate.member_id in need.failed
    doubtful = bad and candidate.member_id != need.preferred
    return Match(candidate.member_id, candidate.name, round(score, DIGITS), tuple(reasons), excluded, later, doubtful)


def _exclusion(need: Need, candidate: Candidate, missing: list[str]) -> tuple[str, bool]:
    if not candidate.can_work:
        return "has no right to work here", False
    if missing:
        return f"lacks {', '.join(missing)}", False
    if candidate.member_id in need.refused:
        return "refused it before", False
    if candidate.member_id in need.authors:
        return "is the author of what is to be reviewed", False
    away = ((not candidate.online, OFFLINE), (candidate.needs_login, NEEDS_LOGIN), (candidate.unconfirmed, UNCONFIRMED))
    if reason := next((said for is_so, said in away if is_so), ""):
        return reason, False
    if candidate.rests:
        return candidate.rests, False
    if not candidate.free:
        trial = " and on trial with one task" if candidate.on_trial else ""
        return f"is busy with {candidate.busy} of {candidate.capacity}{trial}", True
    return "", False
