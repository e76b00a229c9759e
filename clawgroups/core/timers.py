"""Deadlines and their defaults (reliability.md 2.3), and what an open task waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds. A workspace overrides single ones; `scaled` shrinks all of them for tests."""

    heartbeat: float = 10
    lost_contact: float = 45
    grace: float = 60
    soft_stall: float = 120
    hard_stall: float = 300
    schedule_to_start: float = 300
    start_to_close: float = 1200
    task_total: float = 7200
    run_total: float = 43200
    cancel_grace: float = 15
    approval: float = 600
    acknowledge: float = 120
    review: float = 86400
    unassigned: float = 3600
    retry_base: float = 2
    retry_cap: float = 60
    turn: float = 120
    turn_lease: float = 10

    def overridden(self, by: Mapping[str, float]) -> Timers:
        """These timers with a workspace's own values; unknown names are ignored."""
        known = {f.name for f in fields(self)}
        return replace(self, **{k: float(v) for k, v in by.items() if k in known})

    def scaled(self, factor: float) -> Timers:
        """All timers times `factor`."""
        return Timers(*(getattr(self, f.name) * factor for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Wait:
    """Whom an open task is blocked on, who acts next, by when, and what happens then."""

    blocked_on: str  # agent, person, outside, nobody
    next_actor: str
    deadline: datetime | None
    effect: str

    def columns(self) -> dict[str, object]:
        """As columns of a task."""
        return {
            "blocked_on": self.blocked_on,
            "next_actor": self.next_actor,
            "deadline_at": self.deadline,
            "deadline_effect": self.effect,
        }


NO_WAIT = Wait("", "", None, "")


def _after(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)


def wait_for_parents(now: datetime, timers: Timers) -> Wait:
    """Dependencies are not done yet; the run's deadline bounds it."""
    return Wait("outside", "earlier tasks", _after(now, timers.run_total), "the run's deadline ends it")


def wait_for_coordinator(now: datetime, timers: Timers) -> Wait:
    """Ready; the coordinator looks for a member."""
    return Wait("nobody", "coordinator", _after(now, timers.unassigned), "a person is asked to assign it")


def wait_for_start(now: datetime, timers: Timers, name: str) -> Wait:
    """Offered to an agent that has not begun."""
    return Wait("agent", name, _after(now, timers.schedule_to_start), "it is taken back and given to another agent")


def wait_for_work(now: datetime, timers: Timers, name: str) -> Wait:
    """An agent works on it."""
    return Wait("agent", name, _after(now, timers.start_to_close), "it is taken back and given to another agent")


def wait_for_approval(now: datetime, timers: Timers) -> Wait:
    """The agent asked; a person must answer."""
    return Wait("person", "somebody of the team", _after(now, timers.approval), "the answer will be “no”")


def wait_for_agent(now: datetime, timers: Timers, who: str) -> Wait:
    """Ready; those who could do it are offline."""
    return Wait("outside", who, _after(now, timers.unassigned), "a person is asked to assign it")


def wait_for_holder(now: datetime, timers: Timers, name: str) -> Wait:
    """A person holds it."""
    return Wait("person", name, _after(now, 3600), "it is offered to others, never handed back silently")


def wait_for_review(now: datetime, timers: Timers) -> Wait:
    """The coordinator checks the result."""
    return Wait("nobody", "coordinator", _after(now, timers.turn), "the review is started again")


def wait_for_judge(now: datetime, timers: Timers) -> Wait:
    """A person must judge lines that cannot be checked by a machine."""
    return Wait("person", "a reviewer of the team", _after(now, timers.review), "the team is reminded")


def wait_for_help(now: datetime, timers: Timers, who: str) -> Wait:
    """Stuck: a person must act."""
    return Wait("person", who, _after(now, timers.review), "the team is reminded")
