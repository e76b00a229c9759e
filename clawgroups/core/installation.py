"""What staff can change about an installation while it runs: its switches, its limits, and how long things are kept.

Each has a name and bounds here; what it is where nobody has said anything is the environment's to say
(`services.installation`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clawgroups.core.errors import Invalid

Value = bool | int | None


class Kind(StrEnum):
    """How a setting is meant."""

    SWITCH = "switch"  # on or off
    LIMIT = "limit"  # a number; None: no limit
    DAYS = "days"  # kept for so long; None: for ever


@dataclass(frozen=True, slots=True)
class Setting:
    """One of them. `most` may be lowered by the environment."""

    name: str
    kind: Kind
    least: int = 0
    most: int = 1_000_000

    @property
    def is_switch(self) -> bool:
        return self.kind is Kind.SWITCH


_SWITCHES = ("signup", "model", "dialling", "mail", "sharing", "templates")
_LIMITS = {
    "upload_mb": (1, 100_000),
    "month_usd": (0, 1_000_000),
    "workspaces_each": (1, 100_000),
    "agents_each": (1, 100_000),
    "open_runs_each": (1, 10_000),
}
# What is deleted after how many days at the least: nobody who is still at something may lose it.
_DAYS = {
    "keep_model_words": 1,
    "keep_drafts": 7,
    "keep_operations": 35,
    "keep_letters": 7,
    "keep_admissions": 1,
    "keep_exports": 1,
}

SETTINGS: Mapping[str, Setting] = {
    one.name: one
    for one in (
        *(Setting(name, Kind.SWITCH) for name in _SWITCHES),
        *(Setting(name, Kind.LIMIT, *bounds) for name, bounds in _LIMITS.items()),
        *(Setting(name, Kind.DAYS, least, 36_500) for name, least in _DAYS.items()),
    )
}


def of_kind(kind: Kind) -> tuple[Setting, ...]:
    """The settings of a kind, in the order in which they are shown."""
    return tuple(one for one in SETTINGS.values() if one.kind is kind)


def clean(name: str, said: Any, most: Value = None) -> Value:
    """What was said of a setting, as it is kept. `most`: what the environment allows of it.

    Raises `Invalid`, naming it.
    """
    setting = SETTINGS.get(name)
    if setting is None:
        raise Invalid(f"There is no setting “{name[:40]}”.", field="name")
    if setting.is_switch:
        return _switch(name, said, most)
    if said is None:
        return None
    highest = setting.most if most is None else min(setting.most, int(most))
    if not isinstance(said, int) or isinstance(said, bool) or not setting.least <= said <= highest:
        raise Invalid(f"Give a whole number from {setting.least} to {highest}, or none.", field=name)
    return said


def _switch(name: str, said: Any, most: Value) -> bool:
    if not isinstance(said, bool):
        raise Invalid("It is on or off.", field=name)
    if said and most is False:
        raise Invalid("The environment of this installation does not allow it.", field=name)
    return said
