"""The two clocks of work in hand, liveness and progress, and the deadlines that rest. Pure: tested as tables.

Liveness is the lease of the agent's link; progress is something new said or done. A silent link is
shown and waited for, an agent that shows no progress is shown and then relieved; which of all
deadlines comes first is what a page says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from clawgroups.core.failures import Failure
from clawgroups.core.timers import Timers, Wait, after

LOOPS = 3
GIVEN_ON = "it is taken back and given to another agent"
NOT_BACK = "it is given to another agent; contact is lost, and it goes on only if it is back by then"
NOT_READ = "it comes back to whoever handed it on"
NO_SIGN = "it is taken back and given to another agent, unless it shows progress"
COLUMNS = ("start_by", "close_by", "back_by", "progress_at")

REASONS = {
    Failure.NOT_STARTED: "it was not begun in time",
    Failure.NOT_ACKNOWLEDGED: "the hand-back was not acknowledged in time",
    Failure.TIMED_OUT: "it was not finished in time",
    Failure.STALLED: "no progress was seen for too long",
    Failure.LOOPING: "it repeated itself and made no progress",
    Failure.LOST_CONTACT: "contact to the agent was lost",
}


@dataclass(frozen=True, slots=True)
class InHand:
    """An attempt that an agent has in hand, with what is known of both clocks.

    `heard_at` is the last sign of life of its link, None while no link is open. `begun` is False
    while it is only offered; `start_by` of one that has begun is for its acknowledgement.
    """

    begun: bool = True
    contact: str = "live"
    start_by: datetime | None = None
    close_by: datetime | None = None
    back_by: datetime | None = None
    progress_at: datetime | None = None
    quiet_since: datetime | None = None
    repeats: int = 0
    resting: bool = False
    heard_at: datetime | None = None


class Sign(StrEnum):
    """What is to be noted of an attempt, without ending it."""

    LOST = "contact lost"
    BACK = "contact restored"
    QUIET = "no sign of progress"
    STIRRED = "progress again"


def overdue(work: InHand, timers: Timers, now: datetime) -> Failure | None:
    """Why an attempt is to be taken back now, if it is."""
    if work.resting:
        return None
    if work.contact == "lost" and _reached(work.back_by, now):
        return Failure.LOST_CONTACT
    if _reached(work.start_by, now):
        return Failure.NOT_ACKNOWLEDGED if work.begun else Failure.NOT_STARTED
    if _reached(work.close_by, now):
        return Failure.TIMED_OUT
    if work.progress_at is not None and _reached(after(work.progress_at, timers.hard_stall), now):
        return Failure.LOOPING if work.repeats >= LOOPS else Failure.STALLED
    return None


def sign(work: InHand, timers: Timers, now: datetime) -> Sign | None:
    """What is new about an attempt that goes on."""
    alive = work.heard_at is not None and after(work.heard_at, timers.lost_contact) > now
    if alive != (work.contact == "live"):
        return Sign.BACK if alive else Sign.LOST
    if work.progress_at is None or work.resting:
        return None
    if work.quiet_since is not None:
        return Sign.STIRRED if work.progress_at > work.quiet_since else None
    return Sign.QUIET if _reached(after(work.progress_at, timers.soft_stall), now) else None


def noted(work: InHand, sign: Sign, timers: Timers, now: datetime) -> dict[str, Any]:
    """The attempt's columns after a sign."""
    match sign:
        case Sign.LOST:
            return {"contact": "lost", "back_by": after(now, timers.grace)}
        case Sign.BACK:
            return {"contact": "live", "back_by": None}
        case Sign.QUIET:
            return {"quiet_since": work.progress_at}
        case Sign.STIRRED:
            return {"quiet_since": None}


def wait_in_hand(work: InHand, timers: Timers, name: str) -> Wait:
    """What a task in an agent's hands waits for: the deadline that comes first, and its effect."""
    found = [
        (at, effect)
        for at, effect in (
            (work.back_by if work.contact == "lost" else None, NOT_BACK),
            (_stalls_at(work, timers), NO_SIGN),
            (work.start_by, NOT_READ if work.begun else GIVEN_ON),
            (work.close_by, GIVEN_ON),
        )
        if at is not None
    ]
    deadline, effect = min(found, key=lambda one: one[0], default=(None, ""))
    return Wait("agent", name, deadline, effect)


def _stalls_at(work: InHand, timers: Timers) -> datetime | None:
    # Shown once it is quiet: until then it moves with every word.
    if work.quiet_since is None or work.progress_at is None:
        return None
    return after(work.progress_at, timers.hard_stall)


def _reached(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now


def task_after_rest(close_by: datetime | None, since: datetime, now: datetime, timers: Timers) -> datetime | None:
    """A task's own deadline after a rest that began at `since`: moved on by its length.

    One that had passed before is given its whole time anew: a person had it, and lets it go on.
    """
    if close_by is None:
        return None
    full = after(now, timers.task_total)
    return full if close_by <= since else min(close_by + (now - since), full)


def attempt_after_rest(
    columns: Mapping[str, datetime | None], rest: timedelta, now: datetime, timers: Timers
) -> dict[str, datetime | None]:
    """An attempt's clocks, moved on by the length of a rest: never beyond what they would be if begun now."""
    latest = {
        "start_by": after(now, max(timers.schedule_to_start, timers.acknowledge)),
        "close_by": after(now, timers.start_to_close),
        "back_by": after(now, timers.grace),
        "progress_at": now,
    }
    moved = {name: None if at is None else min(at + rest, latest[name]) for name, at in columns.items()}
    return {**moved, "quiet_since": None}
