"""Limits as people write them: counts, US dollars, times. Empty is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clawgroups.core.amounts import parse_count, parse_dollars, write_dollars
from clawgroups.core.coordination import Limits
from clawgroups.core.durations import parse_duration, say_duration
from clawgroups.wording import say


def _seconds(text: str) -> int:
    return round(parse_duration(text))


def _duration(seconds: int) -> str:
    return say(say_duration(seconds))


# Name -> label, help, how it is read and written.
KINDS: dict[str, tuple[Any, Any, Callable[[str], int], Callable[[int], str]]] = {
    "tokens": (_("Tokens"), _("In and out together, like “500k” or “2M”."), parse_count, str),
    "cost_micro": (_("US dollars"), _("Like “5” or “2.50”."), parse_dollars, write_dollars),
    "steps": (_("Steps"), _("Tool calls and messages of all agents, like “4000”."), parse_count, str),
    "seconds": (_("Time"), _("Since the start, like “45 min” or “8 h”."), _seconds, _duration),
}


class LimitField(forms.CharField):
    """One limit; empty means none."""

    def __init__(self, name: str) -> None:
        label, does, self.read, _write = KINDS[name]
        super().__init__(
            max_length=40,
            required=False,
            label=label,
            help_text=does,
            widget=forms.TextInput({"placeholder": _("no limit"), "autocomplete": "off"}),
        )

    def clean(self, value: Any) -> int | None:
        """The amount, or None for no limit."""
        text = super().clean(value)
        try:
            return self.read(text) if text else None
        except ValueError as fault:
            raise forms.ValidationError(say(fault)) from None


def limit_fields(part: str, names: tuple[str, ...] = tuple(KINDS)) -> dict[str, LimitField]:
    """The fields of some limits, named like `run_tokens`, or without `part` like `tokens`."""
    return {_name(part, name): LimitField(name) for name in names}


def _name(part: str, name: str) -> str:
    return f"{part}_{name}" if part else name


def limits_typed(limits: Limits, part: str) -> dict[str, str]:
    """Limits as they stand in their fields."""
    found = {name: getattr(limits, name) for name in KINDS}
    return {_name(part, name): KINDS[name][3](value) for name, value in found.items() if value is not None}


def limits_said(cleaned: Mapping[str, Any], part: str) -> dict[str, int | None]:
    """What the verbs take."""
    return {name: cleaned[_name(part, name)] for name in KINDS if _name(part, name) in cleaned}
