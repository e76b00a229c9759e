"""The circuit breaker of a model server: one that does not answer is asked no more for a while, then once. Pure.

closed → open (until a moment, or until a person mends it) → probing (one call) → closed, or open for twice as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

MAX_SAID = 300


class ServerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


# Faults of the server itself; the others are the request's, or ours.
AWAY = frozenset({"unreachable", "slow"})
KEY = "key"
QUOTA = "quota"
# What guests and agents read of a fault: a provider's own words may tell of accounts, keys and hosts.
AWAY_PLAINLY = "{name} does not answer"
PLAINLY = {
    "slow": "{name} does not answer in time",
    "busy": "{name} is busy",
    QUOTA: "{name}'s quota is used up",
    KEY: "{name} refuses our key",
    "request": "{name} refuses the question",
    "too_long": "The question is too long for {name}",
    "malformed": "{name} gave no answer that can be read",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """After how many faults in a row it opens, and for how many seconds at first and at most; `quota` likewise."""

    faults: int = 3
    pause: float = 15
    longest: float = 300
    quota: float = 60

    def scaled(self, factor: float) -> Limits:
        """These limits with all times times `factor`."""
        return replace(self, pause=self.pause * factor, longest=self.longest * factor, quota=self.quota * factor)


@dataclass(frozen=True, slots=True)
class ServerBreaker:
    """Where a server stands: faults and openings in a row, and what the last fault was.

    `asked` counts the calls that were begun: whoever begins one expects it as it was, so that two who see the same
    free place do not both take it.
    """

    state: ServerState = ServerState.CLOSED
    until: datetime | None = None
    faults: int = 0
    opens: int = 0
    kind: str = ""
    said: str = ""
    at: str = ""
    asked: int = 0

    @property
    def health(self) -> dict[str, Any]:
        """As the server's column."""
        said = {
            "faults": self.faults,
            "opens": self.opens,
            "kind": self.kind,
            "said": self.said,
            "at": self.at,
            "asked": self.asked,
        }
        return {key: value for key, value in said.items() if value}

    @property
    def rests_for_a_person(self) -> bool:
        """Whether it is asked again only after somebody has edited or tested it."""
        return self.state is ServerState.OPEN and self.until is None


def read(state: str, until: datetime | None, health: Mapping[str, Any]) -> ServerBreaker:
    """A breaker from a server's columns."""
    return ServerBreaker(
        ServerState(state),
        until,
        int(health.get("faults", 0)),
        int(health.get("opens", 0)),
        str(health.get("kind", "")),
        str(health.get("said", "")),
        str(health.get("at", "")),
        int(health.get("asked", 0)),
    )


def may_be_asked(now: datetime, before: ServerBreaker, calling: int, concurrency: int) -> bool:
    """Whether a call may begin here while `calling` others are under way: of one that is on trial, a single one."""
    if before.state is ServerState.CLOSED:
        return calling < max(concurrency, 1)
    due = before.state is ServerState.PROBING or (before.until is not None and before.until <= now)
    return due and not calling


def begun(before: ServerBreaker) -> ServerBreaker:
    """A call begins: one that rested is on trial with it."""
    state = before.state if before.state is ServerState.CLOSED else ServerState.PROBING
    return replace(before, state=state, until=None, asked=before.asked + 1)


def answered(before: ServerBreaker) -> ServerBreaker:
    """It answered, whatever it said: everything before is forgotten."""
    return ServerBreaker(asked=before.asked)


def unfinished(before: ServerBreaker, now: datetime) -> ServerBreaker:
    """A call ended and says nothing about the server: another one may be its trial."""
    return replace(before, state=ServerState.OPEN, until=now) if before.state is ServerState.PROBING else before


def failed(
    before: ServerBreaker, kind: str, said: str, now: datetime, limits: Limits, again_in: float | None = None
) -> ServerBreaker:
    """A call ended with a fault of the server. What was under way when it opened does not count again."""
    told = replace(before, kind=kind, said=said[:MAX_SAID], at=now.isoformat())
    if kind == KEY:
        return replace(told, state=ServerState.OPEN, until=None, faults=before.faults + 1)
    if before.state is ServerState.OPEN:
        return before
    if kind == QUOTA:
        pause = _doubled(limits.quota, before.opens, limits.longest) if again_in is None else again_in
        return replace(told, state=ServerState.OPEN, until=now + timedelta(seconds=pause), opens=before.opens + 1)
    after = replace(told, faults=before.faults + 1)
    if before.state is ServerState.CLOSED and after.faults < limits.faults:
        return after
    pause = _doubled(limits.pause, before.opens, limits.longest)
    return replace(after, state=ServerState.OPEN, until=now + timedelta(seconds=pause), opens=before.opens + 1)


def _doubled(pause: float, times: int, longest: float) -> float:
    return min(pause * 2.0 ** min(times, 16), longest)


def knocked(before: ServerBreaker, now: datetime) -> ServerBreaker:
    """It answered a knock: a call may try it at once. Only one that was away is let in so."""
    rests = before.state is ServerState.OPEN and before.kind in AWAY
    return replace(before, until=now) if rests else before


def mended() -> ServerBreaker:
    """A person edited or tested it: it begins anew."""
    return ServerBreaker()


def plainly(name: str, kind: str) -> str:
    """What a fault of this kind means, for everybody: a sentence without its end, and without the server's words."""
    return PLAINLY.get(kind, AWAY_PLAINLY).format(name=name or "The model")


def says(name: str, found: ServerBreaker, now: datetime) -> str:
    """Why it is not asked now, and what ends that, for everybody; empty while it is."""
    if found.state is not ServerState.OPEN or (found.until is not None and found.until <= now):
        return ""
    why = plainly(name, found.kind)
    if found.until is None:
        return f"{why}; it is not asked until somebody has looked at it."
    if found.kind == QUOTA:
        return f"{why}; it is asked again at {found.until:%H:%M:%S} UTC."
    times = f"after {found.faults} faults" if found.faults > 1 else "after a fault"
    return f"{why}; it rests {times} and is tried again at {found.until:%H:%M:%S} UTC."
