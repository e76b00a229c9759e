"""The one thing that somebody would do next with a task, and in which order its page tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawgroups.core.lifecycle import TASK_TERMINAL
from clawgroups.fragments.tasks import TaskNow
from clawgroups.web.http import Viewer

# What stands beside the work, the most wanted first.
SIDES = {
    "waiting": ("edges", "do", "lines", "times", "why", "files"),
    "ready": ("why", "do", "lines", "edges", "times", "files"),
    "stuck": ("why", "do", "lines", "tries", "edges", "times", "files"),
    "in_review": ("lines", "files", "do", "edges", "tries", "why", "times"),
    "held": ("do", "lines", "files", "edges", "tries", "why", "times"),
    "done": ("receipt", "files", "lines", "edges", "do", "tries", "why"),
    "failed": ("tries", "edges", "lines", "do", "files", "why"),
    "cancelled": ("do", "edges", "tries", "files", "lines"),
}
USUALLY = ("do", "lines", "session", "times", "why", "files", "edges", "tries")


def shown(now: TaskNow, viewer: Viewer, context: Mapping[str, Any]) -> dict[str, Any]:
    """The main verb of this viewer in this state, and the order of the side."""
    names = SIDES.get(now.task.state, USUALLY)
    if "session" not in names:
        names = (*names[:2], "session", *names[2:])
    parts = list(dict.fromkeys((*names, *USUALLY)))
    return {"main": main_verb(now, viewer, context), "side": [f"tasks/side/_{name}.html" for name in parts]}


def main_verb(now: TaskNow, viewer: Viewer, context: Mapping[str, Any]) -> str:
    """Its name, as `tasks/_bar.html` knows it; empty: there is nothing for them to do now."""
    task, can = now.task, viewer.can
    if task.state in TASK_TERMINAL:
        return "receipt" if task.state == "done" else "story"
    if context["holds"]:
        return "request" if any(one.state == "open" for one in context["requests"]) else "finish"
    if context["asks"] and can["approval_decide"]:
        return "answer"
    if task.state == "held":
        return _of_others(viewer, context)
    if now.waits_for_verdict and (context["judge"] or can["task_review"]):
        return "" if context["judge"] else "accept"
    if context["asked"]:
        return "take_it"
    if task.run.state != "running" or task.state == "waiting" or not can["task_take_over"]:
        return ""
    return "resume" if task.paused or context["halted"] else "take"


def _of_others(viewer: Viewer, context: Mapping[str, Any]) -> str:
    """Somebody else has it."""
    if context["offer"]:
        return "offer"
    if context["offered"] and viewer.can["task_take_over"]:
        return "take"
    return "" if context["mine"] or not viewer.can["control_ask"] else "ask"
