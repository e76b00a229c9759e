"""Limits of what may be used up: how far they are reached, and how that is said. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clawgroups.core.coordination import LIMITS, WARN_AT, Limits
from clawgroups.core.durations import say_duration
from clawgroups.core.errors import Invalid

RUN = "of the run"
MONTH = "of the workspace in this month"
# The most that a limit can be, and that one report of an agent counts.
MOST = 10**15
MOST_AT_ONCE = 10**12
NAMES = {"tokens": "tokens", "cost_micro": "money", "steps": "steps", "seconds": "time"}


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used up so far."""

    tokens: int = 0
    cost_micro: int = 0
    steps: int = 0
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Limits of one kind with what was used of them; `whose` is `RUN` or `MONTH`."""

    whose: str
    limits: Limits
    spent: Spent

    def shares(self) -> Iterable[tuple[str, float]]:
        """Each limit that there is, and which share of it is used up."""
        for name in LIMITS:
            limit = getattr(self.limits, name)
            if limit is not None:
                yield name, getattr(self.spent, name) / limit

    def mark(self, name: str) -> str:
        """What a limit is called where it is remembered that somebody was warned of it: "steps of the run"."""
        return f"{NAMES[name]} {self.whose}"


def reached(standings: Iterable[Standing]) -> str:
    """Why nothing new may begin, in a sentence; empty while no limit is used up."""
    for one in standings:
        for name, share in one.shares():
            if share >= 1:
                return say_reached(one, name)
    return ""


def say_reached(one: Standing, name: str) -> str:
    """That a limit is used up."""
    return f"The limit {one.whose} of {say_amount(name, getattr(one.limits, name))} is used up."


def say_near(one: Standing, name: str) -> str:
    """How much of a limit is used up."""
    share = dict(one.shares())[name]
    return f"{share:.0%} of the limit {one.whose} of {say_amount(name, getattr(one.limits, name))} used up."


def near(standings: Iterable[Standing]) -> dict[str, str]:
    """Limits of which four fifths are used up: what is said of each, by its mark."""
    return {
        one.mark(name): say_near(one, name) for one in standings for name, share in one.shares() if share >= WARN_AT
    }


def say_amount(name: str, amount: int) -> str:
    """An amount with its unit, as people read it."""
    match name:
        case "cost_micro":
            return f"{amount / 1_000_000:,.2f} USD"
        case "seconds":
            return say_duration(amount)
        case _:
            return f"{amount:,} {NAMES[name]}"


def read_set(said: Mapping[str, Any], allowed: Iterable[str] = LIMITS) -> dict[str, int | None]:
    """Limits that a person sets, checked; None is "no limit". Raises `Invalid` for what is none."""
    known = tuple(allowed)
    found: dict[str, int | None] = {}
    for name, value in said.items():
        if name not in known:
            raise Invalid(f"There is no limit “{str(name)[:40]}”; there are {', '.join(known)}.", field=str(name)[:40])
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MOST):
            raise Invalid("A limit is a whole number above 0, or nothing.", field=name)
        found[name] = value
    return found
