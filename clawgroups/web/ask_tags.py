"""Template filters of what agents ask: their arguments, as much of a change as a list shows, characters that hide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import template

from clawgroups.core.arguments import Arguments, is_suspicious, read, shown
from clawgroups.core.numbered_diff import Numbered, beginning, numbered
from clawgroups.core.tool_content import Block
from clawgroups.models import Step

register = template.Library()

LARGE = 40_000  # characters of a change that a list does not compare
SIGNS = {"+": "in", "-": "out", "@": "at"}


@dataclass(frozen=True, slots=True)
class Lines:
    """The first lines of a text, each with what it is in a patch (in, out, at or nothing); how many are left out."""

    lines: tuple[tuple[str, str], ...]
    left: int


@register.filter
def arguments(call: dict[str, Any]) -> Arguments:
    """What an agent wants to do, as its arguments say it."""
    return read(call)


@register.filter
def done_arguments(step: Step) -> Arguments:
    """What an agent did, as the arguments of a step say it."""
    return read({**step.detail, "title": step.title, "kind": step.kind})


@register.filter
def visible(text: Any) -> str:
    """A text in which nothing hides."""
    return shown(str(text))


@register.filter
def suspicious(text: Any) -> bool:
    """Whether a text may read otherwise than it is."""
    return is_suspicious(str(text))


@register.filter
def compared(block: Block, most: int = 0) -> Numbered | None:
    """A change line by line; of a list's only the beginning (`most` lines), and nothing of a very large one."""
    before = block.before or ""
    if most and len(before) + len(block.text) > LARGE:
        return None
    whole = numbered(shown(before), shown(block.text))
    return beginning(whole, most) if most else whole


@register.filter
def first_lines(text: str, most: int) -> Lines:
    """The first lines of a text or a patch."""
    every = shown(text).splitlines()
    return Lines(tuple((SIGNS.get(line[:1], ""), line) for line in every[:most]), max(0, len(every) - most))
