"""Which modes each model has, and how each kind of provider is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from agents.llm.base import Mode


class Spelling(StrEnum):
    """In which words a provider takes a mode."""

    TEMPLATE = "chat_template_kwargs"  # SGLang and what is built like it
    THINKING = "thinking"  # Moonshot
    REASONING = "reasoning"  # OpenRouter
    NONE = ""  # it has no words for it


@dataclass(frozen=True, slots=True)
class Family:
    """Models with the same modes. `has` says what a mode becomes; with `effort` it is said as that much effort."""

    name: str
    has: Mapping[Mode, Mode]
    always: str = ""  # what it does whatever it is told, as a sentence's end
    effort: Mapping[Mode, str] = field(default_factory=dict)
    # Temperature in each mode, where the vendor names one; top_p is 0.95 with it.
    temperature: Mapping[Mode, float] = field(default_factory=dict)
    told: bool = True


_K2_HEAT = {Mode.THINKING: 1.0, Mode.PRESERVE: 1.0, Mode.INSTANT: 0.6}
_K26 = Family("Kimi K2.6", {mode: mode for mode in Mode}, temperature=_K2_HEAT)
_K25 = Family(
    "Kimi K2.5",
    {Mode.THINKING: Mode.THINKING, Mode.PRESERVE: Mode.THINKING, Mode.INSTANT: Mode.INSTANT},
    always="cannot keep earlier thoughts",
    temperature=_K2_HEAT,
)
_K27_CODE = Family(
    "Kimi K2.7 Code", dict.fromkeys(Mode, Mode.PRESERVE), always="always thinks and keeps its thoughts", told=False
)
_K3 = Family(
    "Kimi K3",
    {Mode.THINKING: Mode.THINKING, Mode.PRESERVE: Mode.THINKING, Mode.INSTANT: Mode.THINKING},
    always="always thinks, more or less",
    effort={Mode.THINKING: "high", Mode.PRESERVE: "high", Mode.INSTANT: "low"},
)
_UNKNOWN = Family("", {mode: mode for mode in Mode}, told=False)

_BY_NAME: tuple[tuple[str, Family], ...] = (
    (r"kimi[-_]?k2[._p]?7[-_]?code", _K27_CODE),
    (r"kimi[-_]?k3(?!\d)", _K3),
    (r"kimi[-_]?k2[._p]?6(?!\d)", _K26),
    (r"kimi[-_]?k2[._p]?5(?!\d)", _K25),
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The mode that a model is really asked in. `said`: why it is not the one that was wanted; empty when it is."""

    mode: Mode
    family: Family
    parameters: Mapping[str, Any]
    said: str = ""


def family_of(model: str, *, own_server: bool) -> Family:
    """The family of a model by its name. On a server of one's own a Kimi of another name is taken for a K2.6."""
    name = model.lower()
    for pattern, family in _BY_NAME:
        if re.search(pattern, name):
            return family
    return _K26 if own_server and "kimi" in name else _UNKNOWN


def choose(model: str, wanted: Mode, spelling: Spelling, *, own_server: bool) -> Chosen:
    """The nearest mode that the model has and the provider can be told, and the parameters that say it."""
    family = family_of(model, own_server=own_server)
    if not family.name:
        return Chosen(wanted, family, {}, f"It is not known which modes {model} has, so none is asked for.")
    if spelling is Spelling.NONE:
        return Chosen(wanted, family, {}, "This provider cannot be told a mode, so the model's own holds.")
    mode = family.has[wanted]
    said = "" if mode is wanted else f"{family.name} {family.always}: asked in mode {mode} instead of {wanted}."
    if effort := family.effort.get(wanted):
        return Chosen(mode, family, _effort(spelling, effort), said)
    return Chosen(mode, family, _parameters(spelling, mode) if family.told else {}, said)


def _effort(spelling: Spelling, effort: str) -> dict[str, Any]:
    return {"reasoning": {"effort": effort}} if spelling is Spelling.REASONING else {"reasoning_effort": effort}


def _parameters(spelling: Spelling, mode: Mode) -> dict[str, Any]:
    thinks, keeps = mode is not Mode.INSTANT, mode is Mode.PRESERVE
    if spelling is Spelling.TEMPLATE:
        return {"chat_template_kwargs": {"thinking": thinks, **({"preserve_thinking": True} if keeps else {})}}
    if spelling is Spelling.THINKING:
        kind = "enabled" if thinks else "disabled"
        return {"thinking": {"type": kind, **({"keep": "all"} if keeps else {})}}
    return {"reasoning": {"enabled": thinks}}
