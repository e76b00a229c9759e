"""Template filters of a task's transcript: lengths of steps, the beginning of long words."""

from __future__ import annotations

from django import template

from clawgroups.fragments.transcript import MOST_SAID
from clawgroups.models import Step

register = template.Library()


@register.filter
def took(step: Step) -> float | None:
    """How many seconds a step took, where that says anything."""
    if step.ended_at is None:
        return None
    seconds = (step.ended_at - step.started_at).total_seconds()
    return round(seconds, 1) if seconds >= 1 else None


@register.filter
def is_cut(text: str) -> bool:
    """Whether only the beginning of a message is shown."""
    return len(text) > MOST_SAID


@register.filter
def beginning(text: str) -> str:
    """As much of a message as is shown."""
    return text if len(text) <= MOST_SAID else text[:MOST_SAID]
