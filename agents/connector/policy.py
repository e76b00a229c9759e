"""What the owner of the agent's machine has decided in advance about permission requests."""

from __future__ import annotations

from typing import Any

CHOICES = ("ask", "reads", "all")
_HARMLESS = frozenset({"read", "search", "think"})


def decide(allow: str, params: Any) -> str | None:
    """The option to choose for a `session/request_permission`, or None to let the people in the workspace
    decide.

    "ask" decides nothing, "reads" allows once what only reads, "all" allows everything. What is unclear is
    asked.
    """
    if allow == "ask" or not isinstance(params, dict):
        return None
    call = params.get("toolCall")
    kind = call.get("kind") if isinstance(call, dict) else None
    if allow == "reads" and not (isinstance(kind, str) and kind in _HARMLESS):
        return None
    # allow_always would change the agent's own memory; only the owner who allows all has asked for that.
    wanted = ("allow_once",) if allow == "reads" else ("allow_once", "allow_always")
    options = params.get("options")
    for want in wanted:
        for option in options if isinstance(options, list) else ():
            if isinstance(option, dict) and option.get("kind") == want and isinstance(option.get("optionId"), str):
                return str(option["optionId"])
    return None
