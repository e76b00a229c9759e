"""Commands that people write into a chat: a slash, a word, and what it is about. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

KNOWN: dict[str, str] = {
    "stop": "Stop every agent here, or those that are named: /stop @handle",
    "pause": "Give nothing new out until /resume",
    "resume": "Go on",
    "plan": "Have the coordinator make a plan: /plan WHAT IS WANTED",
    "status": "Say how everything stands",
    "rules": "Show the standing rules, or add one: /rules WHAT HOLDS FROM NOW ON",
}
_COMMAND = re.compile(r"/([a-z]+)(?:[ \t\n]+(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """`name` is one of `KNOWN`; `rest` is what follows it."""

    name: str
    rest: str = ""


def command_of(text: str) -> Command | None:
    """The command that a text is; None for what is none of ours, e.g. a path."""
    found = _COMMAND.fullmatch(text.strip())
    if found is None or found[1] not in KNOWN:
        return None
    return Command(found[1], (found[2] or "").strip())
