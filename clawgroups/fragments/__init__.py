"""Fragments: one template with one root, the same for a page, an action's answer and the socket.

A fragment is viewer-neutral; what differs per viewer is an empty element with `data-own`, which the
browser loads by itself. `hx-swap-oob="merge"` replaces the element of the same id; `merge:#list` adds
it to a list where it is new.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.template import Engine, TemplateSyntaxError
from django.template.loader import get_template
from django.template.loader_tags import IncludeNode

from clawgroups.fragments import cells, messages, rooms, roster, tasks


@dataclass(frozen=True, slots=True)
class Fragment:
    """A template, the name of its subject in there, how to load it, and the list that it may join."""

    template: str
    subject: str
    load: Callable[[Iterable[UUID]], Sequence[Any]]
    joins: Callable[[Any], str] | None = None
    shown: Callable[[Any], bool] = lambda _subject: True


def _is_goal(view: Any) -> bool:
    """Whether a run stands in the lists: not one in which agents only answer a message, or judge."""
    return bool(view.run.kind == "goal")


def _thread(message: Any) -> str:
    return f"talk-{message.task_id or message.workspace_id}"


FRAGMENTS: dict[str, Fragment] = {
    "task_card": Fragment("tasks/_card.html", "card", tasks.cards_of, lambda c: f"run-tasks-{c.task.run_id}"),
    "step": Fragment("tasks/_step.html", "step", tasks.steps_of, lambda s: f"thread-{s.attempt_id}"),
    "agent_plan": Fragment("tasks/_agent_plan.html", "attempt", tasks.attempts_of),
    "message": Fragment("messages/_message.html", "message", messages.messages_of, _thread),
    "run_head": Fragment("runs/_head.html", "view", rooms.runs_of),
    "run_row": Fragment("runs/_row.html", "view", rooms.runs_of, lambda v: f"runs-{v.run.workspace_id}", _is_goal),
    "run_note": Fragment("runs/_note.html", "view", rooms.runs_of, lambda v: f"talk-{v.run.workspace_id}", _is_goal),
    "run_plan": Fragment("runs/_plan_slot.html", "view", rooms.runs_of),
    "run_files": Fragment("runs/_files.html", "view", rooms.runs_of),
    "room_head": Fragment("workspaces/_head.html", "room", rooms.rooms_of),
    "room_aim": Fragment("workspaces/_aim.html", "room", rooms.aims_of),
    "room_unseen": Fragment("workspaces/_unseen.html", "unseen", rooms.unseen_of),
    "room_current": Fragment("workspaces/_current.html", "room", rooms.rooms_of),
    "seat": Fragment("members/_seat.html", "seat", roster.seats_of, lambda s: f"seats-{s.member.workspace_id}"),
    "fleet_cell": Fragment("runs/views/_cell.html", "cell", cells.cells_of, lambda c: f"fleet-{c.member.workspace_id}"),
}
# Templates that show nothing of their own: what they name has changed.
MARKS = {
    "task": "tasks/_hint.html",
    "run": "tasks/_run_hint.html",
    "seat": "members/_zoom_hint.html",
    "run_view": "runs/views/_mark.html",
    "files": "files/_mark.html",
    "needs": "_needs.html",
    "work": "_work.html",
    "unread": "workspaces/_unread.html",
}


def load() -> None:
    """Load every template that is rendered here, with those that they include by name."""
    engine, loaded = Engine.get_default(), set[str]()
    due = [*(fragment.template for fragment in FRAGMENTS.values()), *MARKS.values()]
    while due:
        name = due.pop()
        if name not in loaded:
            loaded.add(name)
            with contextlib.suppress(TemplateSyntaxError):  # whoever shows it fails, and is told
                nodes = engine.get_template(name).nodelist.get_nodes_by_type(IncludeNode)
                named = (node.template.var for node in nodes if isinstance(node, IncludeNode))
                due += [var for var in named if isinstance(var, str)]


def pieces(name: str, ids: Iterable[UUID]) -> list[str]:
    """The fragments `name` of these rows, ready to be merged into a page. Rows that are gone give none."""
    return all_pieces({name: ids})


def all_pieces(wanted: Mapping[str, Iterable[UUID]]) -> list[str]:
    """The fragments of many names. What several of them show of the same rows is read once."""
    read: dict[tuple[Any, ...], Sequence[Any]] = {}
    made = []
    for name, ids in wanted.items():
        fragment, rows = FRAGMENTS[name], tuple(ids)
        key = (fragment.load, rows)
        if key not in read:
            read[key] = fragment.load(rows)
        template = get_template(fragment.template)
        for subject in filter(fragment.shown, read[key]):
            oob = f"merge:#{fragment.joins(subject)}" if fragment.joins else "merge"
            made.append(template.render({fragment.subject: subject, "oob": oob}))
    return made


def task_hint(task_id: UUID, version: object) -> str:
    """Tells the page of a task that it must load anew; costs nothing while nobody looks at it."""
    return get_template(MARKS["task"]).render({"task_id": task_id, "version": version})


def run_hint(run_id: UUID, version: object) -> str:
    """Tells the pages of a run's tasks that they must load anew; costs nothing while nobody looks at one."""
    return get_template(MARKS["run"]).render({"run_id": run_id, "version": version})


def seat_hint(member_id: UUID, version: object) -> str:
    """Tells a page that shows what an agent has in hand that it must load it anew."""
    return get_template(MARKS["seat"]).render({"member_id": member_id, "version": version})


def run_view_mark(run_id: UUID) -> str:
    """Tells a page that shows a view of a run that it must load it anew; costs nothing while nobody looks."""
    return get_template(MARKS["run_view"]).render({"run_id": run_id})


def files_mark(workspace_id: UUID) -> str:
    """Tells a page that shows the files of a workspace that it must load them anew."""
    return get_template(MARKS["files"]).render({"workspace_id": workspace_id})


def needs_piece(version: object) -> str:
    """Tells a page that what waits for people may have changed."""
    return get_template(MARKS["needs"]).render({"version": version, "oob": "merge"})


def work_piece(version: object) -> str:
    """Tells a page that what is in somebody's own hands may have changed."""
    return get_template(MARKS["work"]).render({"version": version, "oob": "merge"})


def unread_piece(version: object) -> str:
    """Tells a page that what its viewer has not read may have changed."""
    return get_template(MARKS["unread"]).render({"version": version, "oob": "merge"})


def gone(element_id: str) -> str:
    """Takes an element off the page."""
    return f'<div id="{element_id}" hx-swap-oob="delete"></div>'
