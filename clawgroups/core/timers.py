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
    cancel_close: float = 5
    approval: float = 600
    escalate: float = 120
    acknowledge: float = 120
    review: float = 86400
    unassigned: float = 3600
    holder_remind: float = 900
    holder_offer: float = 3600
    retry_base: float = 2
    retry_cap: float = 60
    turn: float = 120
    turn_lease: float = 5

    def overridden(self, by: Mapping[str, float]) -> Timers:
        """These timers with a workspace's own values; unknown names are ignored."""
        known = {f.name for f in fields(self)}
        return replace(self, **{k: float(v) for k, v in by.items() if k in known})

    def scaled(self, factor: float) -> Timers:
        """All timers times `factor`."""
        return Timers(*(getattr(self, f.name) * factor for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What ends an open task whatever it waits for: its own time in all, and its run's."""

    task: datetime | None = None
    run: datetime | None = None


UNBOUNDED = Bounds()
TASK_ENDS = "a person decides how it goes on"
RUN_ENDS = "the run ends here and says why"


@dataclass(frozen=True, slots=True)
class Wait:
    """Whom an open task is blocked on, who acts next, by when, and what happens then."""

    blocked_on: str  # agent, person, outside, nobody
    next_actor: str
    deadline: datetime | None
    effect: str
    # The task or its run is paused, or a limit is used up; see `rests`.
    paused: bool = False

    @property
    def rests(self) -> bool:
        """Whether the deadlines of the work rest meanwhile: a person is waited for."""
        return self.blocked_on == "person" or self.paused

    def columns(self, bounds: Bounds = UNBOUNDED) -> dict[str, object]:
        """As columns of a task, with the earliest deadline that applies and what happens at that one."""
        own = (self.deadline, self.effect)
        task = (None if self.rests else bounds.task, TASK_ENDS)
        found = [one for one in (own, task, (bounds.run, RUN_ENDS)) if one[0] is not None]
        deadline, effect = min(found, key=lambda one: one[0], default=own)  # type: ignore[arg-type,return-value]
        return {
            "blocked_on": self.blocked_on,
            "next_actor": self.next_actor,
            "deadline_at": deadline,
            "deadline_effect": effect,
        }


NO_WAIT = Wait("", "", None, "")


def after(now: datetime, seconds: float) -> datetime:
    """The moment so many seconds later."""
    return now + timedelta(seconds=seconds)


def wait_for_parents() -> Wait:
    """Dependencies are not done yet; only the run's deadline bounds it."""
    return Wait("outside", "earlier tasks", None, "")


def wait_for_coordinator(now: datetime, timers: Timers) -> Wait:
    """Ready; the coordinator looks for a member."""
    return Wait("nobody", "coordinator", after(now, timers.unassigned), "a person is asked to assign it")


def wait_for_agent(now: datetime, timers: Timers, who: str) -> Wait:
    """Ready; those who could do it are offline."""
    return Wait("outside", who, after(now, timers.unassigned), "a person is asked to assign it")


def wait_for_asked(now: datetime, timers: Timers, name: str, giver: str = "") -> Wait:
    """Ready; a person is asked whether they would do it, by `giver`, who has it back if they do not answer."""
    effect = f"it goes back to {giver}" if giver else "the next one who could do it is looked for"
    return Wait("person", name, after(now, timers.schedule_to_start), effect)


def wait_for_resume(who: str) -> Wait:
    """Ready; the run is paused by a person, and only its own deadline runs on."""
    return Wait("outside", f"{who}, who may resume the run", None, "", paused=True)


def wait_for_unpause(who: str) -> Wait:
    """Ready or stuck; the task itself is paused by this person, and only its run's deadline runs on."""
    return Wait("outside", f"{who}, who may let it go on", None, "", paused=True)


def wait_for_budget(who: str) -> Wait:
    """Ready; a limit of the run is used up, and only its own deadline runs on."""
    return Wait("outside", f"{who}, who may raise the run's limit", None, "", paused=True)


def wait_for_approval(until: datetime, who: str) -> Wait:
    """The agent asked; a person must answer."""
    return Wait("person", who, until, "the answer will be “no”")


def wait_for_answer(until: datetime, who: str) -> Wait:
    """The agent asked a question that it can go on without."""
    return Wait("person", who, until, "it goes on without an answer")


def wait_for_holder(now: datetime, timers: Timers, name: str) -> Wait:
    """A person holds it and did something just now."""
    return Wait("person", name, after(now, timers.holder_remind), f"{name} is reminded")


def wait_for_idle_holder(since: datetime, timers: Timers, name: str) -> Wait:
    """A person holds it, did nothing since, and was reminded."""
    effect = "it is offered to others, never handed back silently"
    return Wait("person", name, after(since, timers.holder_offer), effect)


def wait_for_taker(now: datetime, timers: Timers, name: str) -> Wait:
    """Held by a person who does nothing; others may take it over."""
    return Wait("person", name, after(now, timers.holder_offer), "it is offered to others again")


def wait_for_review(now: datetime, timers: Timers) -> Wait:
    """The coordinator checks the result."""
    return Wait("nobody", "coordinator", after(now, timers.turn), "the review is started again")


def wait_for_judge(now: datetime, timers: Timers, who: str) -> Wait:
    """A person must judge lines that cannot be checked by a machine."""
    return Wait("person", who, after(now, timers.review), f"{who} is reminded")


def wait_for_agents_verdict(now: datetime, timers: Timers, who: str) -> Wait:
    """Another agent judges lines that cannot be checked by a machine."""
    return Wait("agent", who, after(now, timers.start_to_close), "a person judges it")


def wait_for_help(now: datetime, timers: Timers, who: str) -> Wait:
    """Stuck: a person must act."""
    return Wait("person", who, after(now, timers.review), f"{who} is reminded")
