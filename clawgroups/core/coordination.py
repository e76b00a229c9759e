"""How the coordinator works in a workspace: its model and modes, when a plan starts, and the limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Kinds of calls of a model, and the mode of each where the workspace names none: what is thought over once is thought
# over well, what is asked often is answered at once.
MODES: dict[str, str] = {
    "plan": "thinking",
    "replan": "thinking",
    "anew": "thinking",
    "match": "instant",
    "judge": "instant",
    "hear": "instant",
}
KINDS = tuple(MODES)
# At a server that knows priorities, the higher goes first.
PRIORITIES: dict[str, int] = {"plan": 100, "replan": 90, "anew": 80, "match": 70, "judge": 60, "hear": 85}
# Seconds after which the built-in coordinator goes on without an answer.
PATIENCE: dict[str, float] = {"plan": 600, "replan": 600, "anew": 300, "match": 60, "judge": 300, "hear": 45}
JUDGES = ("model", "agent", "person")
LIMITS = ("tokens", "cost_micro", "steps", "seconds")
WARN_AT = 0.8


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be used up, None: no limit. Tokens, millionths of a US dollar, steps, seconds."""

    tokens: int | None = None
    cost_micro: int | None = None
    steps: int | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Coordination:
    """A workspace's settings, with the defaults where it says nothing."""

    use_model: bool = True
    start_at_once: bool = False
    # Who judges lines that no check can: "model" or another "agent" (a person where that is not sure), or always a
    # "person"; and whether an agent of the same owner as the worker may.
    judge: str = "model"
    judge_same_owner: bool = False
    # Whether the model decides who is asked by a message that names nobody.
    hears: bool = True
    modes: Mapping[str, str] = field(default_factory=dict)
    run: Limits = Limits()  # of each run that names none itself
    month: Limits = Limits()  # of the workspace in a calendar month

    def mode(self, kind: str) -> str:
        """The mode of a kind of call; "" where the server's own counts, then `MODES`."""
        return self.modes.get(kind, "")


def read_coordination(said: Mapping[str, Any]) -> Coordination:
    """The settings as they are stored; what is missing or unreadable is the default."""
    modes = said.get("modes")
    return Coordination(
        use_model=said.get("use_model", True) is not False,
        start_at_once=said.get("start_at_once") is True,
        judge=judge if (judge := said.get("judge")) in JUDGES else "model",
        judge_same_owner=said.get("judge_same_owner") is True,
        hears=said.get("hears", True) is not False,
        modes={k: v for k, v in modes.items() if k in MODES and isinstance(v, str)} if isinstance(modes, dict) else {},
        run=read_limits(said.get("run")),
        month=read_limits(said.get("month")),
    )


def read_limits(said: Any) -> Limits:
    """Limits as they are stored; what is no positive whole number is no limit."""
    if not isinstance(said, Mapping):
        return Limits()
    found = {name: said.get(name) for name in LIMITS}
    return Limits(**{k: v for k, v in found.items() if isinstance(v, int) and not isinstance(v, bool) and v > 0})


def limits_in_force(own: Mapping[str, Any], workspace: Mapping[str, Any]) -> Limits:
    """The limits of a run: its own where any were set for it, else those of its workspace for each run."""
    return read_limits(own) if own else read_coordination(workspace).run
