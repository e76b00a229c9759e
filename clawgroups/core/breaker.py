"""The circuit breaker of an agent: who keeps failing gets no work for a while, then one task as a probe. Pure.

closed → open → probing → closed, or open again; opened too often it is quarantined until a person clears it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"
    QUARANTINED = "quarantined"


# Whoever stands so gets nothing.
NO_WORK = frozenset({BreakerState.OPEN, BreakerState.QUARANTINED})


@dataclass(frozen=True, slots=True)
class Limits:
    """When it opens, and for how long; times in seconds."""

    failures: int = 3
    of_last: int = 5
    violations: int = 3
    violations_within: float = 60
    pause: float = 60
    opens: int = 3
    opens_within: float = 3600

    def scaled(self, factor: float) -> Limits:
        """These limits with all times times `factor`."""
        return replace(
            self,
            violations_within=self.violations_within * factor,
            pause=self.pause * factor,
            opens_within=self.opens_within * factor,
        )


@dataclass(frozen=True, slots=True)
class Breaker:
    """Where an agent stands. `recent` tells of its last tasks whether each was done, from the first that was not.

    An agent that only ever succeeds so keeps the value it began with, and nothing is written for it.
    """

    state: BreakerState = BreakerState.CLOSED
    until: datetime | None = None
    recent: tuple[bool, ...] = ()
    opens: tuple[datetime, ...] = ()
    violations: tuple[datetime, ...] = ()
    reason: str = ""
    # What was said about the last failure: from one workspace, so for the agent's owner alone.
    detail: str = ""
    # The attempt that a probing agent was last offered.
    probe: str = ""

    @property
    def failures(self) -> int:
        """How many of its last tasks failed."""
        return self.recent.count(False)

    @property
    def health(self) -> dict[str, Any]:
        """As the agent's column; empty for one that has never failed."""
        said: dict[str, Any] = {
            "recent": list(self.recent),
            "opens": [one.isoformat() for one in self.opens],
            "violations": [one.isoformat() for one in self.violations],
            "reason": self.reason,
            "detail": self.detail,
            "probe": self.probe,
        }
        return {key: value for key, value in said.items() if value}


def read(state: str, until: datetime | None, health: Mapping[str, Any]) -> Breaker:
    """A breaker from an agent's columns."""
    return Breaker(
        BreakerState(state),
        until,
        tuple(bool(one) for one in health.get("recent", ())),
        _times(health.get("opens", ())),
        _times(health.get("violations", ())),
        str(health.get("reason", "")),
        str(health.get("detail", "")),
        str(health.get("probe", "")),
    )


def _times(values: Iterable[str]) -> tuple[datetime, ...]:
    return tuple(datetime.fromisoformat(one) for one in values)


def failed(before: Breaker, now: datetime, limits: Limits, detail: str) -> Breaker:
    """A task failed by the agent's fault. What it still had in hand when it was opened does not count again."""
    if before.state in NO_WORK:
        return before
    if before.state is BreakerState.PROBING:
        return _opened(before, now, limits, "It failed the task it was tried with", detail)
    after = replace(before, recent=_recent(before, done=False, limits=limits))
    if after.failures < limits.failures:
        return after
    return _opened(after, now, limits, f"It failed {after.failures} of its last {limits.of_last} tasks", detail)


def succeeded(before: Breaker, limits: Limits) -> Breaker:
    """A result was accepted. That ends a trial; it ends neither a pause nor a quarantine."""
    match before.state:
        case BreakerState.PROBING:
            return Breaker(opens=before.opens)
        case BreakerState.CLOSED:
            return replace(before, recent=_recent(before, done=True, limits=limits))
        case _:
            return before


def violated(before: Breaker, now: datetime, limits: Limits, reason: str) -> Breaker:
    """The agent sent something that breaks the protocol."""
    if before.state in NO_WORK:
        return before
    violations = (*_within(before.violations, now, limits.violations_within), now)
    after = replace(before, violations=violations[-limits.violations :])
    if len(violations) < limits.violations:
        return after
    said = f"It broke the protocol {len(violations)} times within {limits.violations_within:g} seconds: {reason}"
    return _opened(after, now, limits, said)


def probed(before: Breaker, now: datetime) -> Breaker:
    """Its pause is over: one task may show whether it works again."""
    due = before.state is BreakerState.OPEN and before.until is not None and before.until <= now
    return replace(before, state=BreakerState.PROBING, until=None) if due else before


def offered(before: Breaker, attempt: str) -> Breaker:
    """It was offered a task; of a probing agent the offer is kept, so that no other is made at the same moment."""
    return replace(before, probe=attempt) if before.state is BreakerState.PROBING else before


def cleared() -> Breaker:
    """A person vouches for the agent: it begins anew."""
    return Breaker()


def _opened(before: Breaker, now: datetime, limits: Limits, reason: str, detail: str = "") -> Breaker:
    opens = (*_within(before.opens, now, limits.opens_within), now)
    if len(opens) >= limits.opens:
        return Breaker(BreakerState.QUARANTINED, None, opens=opens, reason=reason, detail=detail)
    until = now + timedelta(seconds=limits.pause)
    return Breaker(BreakerState.OPEN, until, opens=opens, reason=reason, detail=detail)


def _recent(before: Breaker, *, done: bool, limits: Limits) -> tuple[bool, ...]:
    """The last outcomes; those before the first failure among them say nothing."""
    recent = (*before.recent, done)[-limits.of_last :]
    return recent[recent.index(False) :] if False in recent else ()


def _within(times: Iterable[datetime], now: datetime, seconds: float) -> tuple[datetime, ...]:
    return tuple(one for one in times if now - one < timedelta(seconds=seconds))
