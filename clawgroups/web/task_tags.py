"""Template filters of a task's transcript: lengths of steps, the beginning of long words."""

from __future__ import annotations

from typing import Any

from django import template

from clawgroups.core.numbered_diff import Numbered, numbered
from clawgroups.core.tool_content import Block, blocks_of
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
def asked_blocks(call: dict[str, Any]) -> list[tuple[Block, Numbered | None]]:
    """What an agent wants to do, as far as its question says it; nothing of it is read from the store."""
    blocks = blocks_of(call, str(call.get("kind", "")))
    return [(one, numbered(one.before or "", one.text) if one.kind == "diff" else None) for one in blocks]


@register.filter
def is_cut(text: str) -> bool:
    """Whether only the beginning of a message is shown."""
    return len(text) > MOST_SAID


@register.filter
def beginning(text: str) -> str:
    """As much of a message as is shown."""
    return text if len(text) <= MOST_SAID else text[:MOST_SAID]
