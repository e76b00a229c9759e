"""What a workspace may say about its coordinator, and what a run may say about its limits. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from clawgroups.core.coordination import JUDGES, KINDS, LIMITS, MODES
from clawgroups.core.errors import Conflict, Invalid

MODE_NAMES = ("thinking", "preserve-thinking", "instant")
# Of a month only what is counted can be limited.
LIMITED = {"run": LIMITS, "month": ("tokens", "cost_micro", "steps")}
# What each limit counts, as its errors call it.
LIMIT_WORDS = {"tokens": "Tokens", "cost_micro": "US dollars", "steps": "Steps", "seconds": "Time"}
# The most that can be said, below what a column holds.
MOST = {"tokens": 10**12, "cost_micro": 10**12, "steps": 10**9, "seconds": 10 * 366 * 86_400}
NAMES = ("use_model", "start_at_once", "hears", "judge", "judge_same_owner", "modes", "run", "month")
# What is yes or no, and which of them where nothing is said.
USUAL = {"use_model": True, "start_at_once": False, "hears": True, "judge_same_owner": False}

CHANGED = (
    "Somebody has changed this since you opened it, so nothing was saved. What you typed is still here: look at what"
    " is set now, in another window, then save again to put yours in its place."
)


def version_of(stored: Mapping[str, Any]) -> str:
    """Which settings these are, for a form that shows them."""
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()[:16]


def check_version(shown: str | None, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise `Conflict` where others are stored than whoever replaces them was shown. None: whatever is stored.

    What is wanted already, as by a form that is sent twice, is no conflict.
    """
    if shown is not None and version_of(stored) not in (shown, version_of(wanted)):
        raise Conflict(CHANGED, code="changed_meanwhile")


def clean_coordination(given: Mapping[str, Any]) -> dict[str, Any]:
    """A workspace's own settings of the coordinator; what is not named, or is as usual, is left out.

    Raises `Invalid` naming the field: an unknown name, a mode or limit that cannot be.
    """
    for name in given:
        if name not in NAMES:
            raise Invalid(f"There is no setting “{name[:40]}”. Known: {', '.join(NAMES)}.", field="coordination")
    own: dict[str, Any] = {name: not usual for name, usual in USUAL.items() if _yes(given, name, usual) is not usual}
    if (judge := given.get("judge")) not in (None, *JUDGES):
        raise Invalid(f"judge is one of: {', '.join(JUDGES)}.", field="judge")
    if judge not in (None, JUDGES[0]):
        own["judge"] = judge
    if modes := _modes(given.get("modes")):
        own["modes"] = modes
    for part in ("run", "month"):
        if limits := clean_limits(given.get(part), part):
            own[part] = limits
    return own


def _yes(given: Mapping[str, Any], name: str, usual: bool) -> bool:
    value = given.get(name)
    if value is None:
        return usual
    if not isinstance(value, bool):
        raise Invalid(f"{name} is true or false.", field=name)
    return value


def _modes(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise Invalid("modes names a mode for each kind of call.", field="modes")
    own = {}
    for kind, mode in given.items():
        if kind not in MODES:
            raise Invalid(f"There is no kind of call “{str(kind)[:40]}”. Known: {', '.join(KINDS)}.", field="modes")
        if mode in (None, ""):
            continue
        if mode not in MODE_NAMES:
            known = ", ".join(MODE_NAMES)
            raise Invalid(f"There is no mode “{str(mode)[:40]}”. Known: {known}.", field=f"mode_{kind}")
        own[str(kind)] = str(mode)
    return own


def clean_limits(given: Any, part: str = "") -> dict[str, int]:
    """Limits by name; None and what is not named is no limit. `part` goes before the field's name in errors.

    Raises `Invalid` for an unknown name and for anything but a whole number above 0.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise Invalid(f"Limits are named: {', '.join(LIMITS)}.", field=part or "limits")
    own = {}
    known = LIMITED.get(part, LIMITS)
    for name, value in given.items():
        field = f"{part}_{name}" if part else str(name)
        if name not in known:
            raise Invalid(f"There is no limit “{str(name)[:40]}”. Known: {', '.join(known)}.", field=part or "limits")
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise Invalid(f"{LIMIT_WORDS[name]}: give a whole number above 0, or nothing for no limit.", field=field)
        if value > MOST[name]:
            raise Invalid(f"{LIMIT_WORDS[name]}: that is more than can be counted; leave it empty.", field=field)
        own[str(name)] = value
    return own
