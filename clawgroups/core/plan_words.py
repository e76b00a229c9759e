"""What an edit of a plan did, in a few words: for the history of a plan and for whoever looks at an older one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clawgroups.core.plan import PlanTask

MOST = 300


def edit_words(plan: Sequence[PlanTask], said: Mapping[str, Any]) -> str:
    """An edit that was made to this plan, as in “split “Write” into 3”."""
    titles = {task.key: task.title for task in plan}
    title = titles.get(str(said.get("key")), "")[:80]
    match said["op"]:
        case "add":
            return f"added “{str(said['task'].get('title', ''))[:80]}”"
        case "remove":
            return f"removed “{title}”"
        case "split":
            return f"split “{title}” into {len(said['parts'])}"
        case "merge":
            first, *rest = [titles[key][:60] for key in dict.fromkeys(said["keys"]) if key in titles] or [""]
            more = f", “{'”, “'.join(rest[:2])}”" if rest else ""
            return f"merged “{first}”{more}{f' and {len(rest) - 2} more' if len(rest) > 2 else ''}"
        case "move":
            return f"moved “{title}” down" if said["by"] > 0 else f"moved “{title}” up"
        case "propose":
            return f"gave “{title}” to @{said['assignee']}" if said["assignee"] else f"left “{title}” to the matching"
        case _:
            names = ", ".join(name.replace("_", " ") for name in said["changes"])
            return f"edited “{title}”{f' ({names})' if names else ''}"


def edits_words(plan: Sequence[PlanTask], edits: Sequence[Mapping[str, Any]]) -> str:
    """Several edits at once: the first few, and how many there are more."""
    words = [edit_words(plan, said) for said in edits[:3]]
    more = f", and {len(edits) - 3} more" if len(edits) > 3 else ""
    return f"{', '.join(words)}{more}"[:MOST]
