"""What the picture of a plan is made from: few columns of many rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import CharField, Count, Q
from django.db.models.functions import Cast

from clawgroups.core.graph_groups import Item
from clawgroups.core.lifecycle import ATTEMPT_LIVE, TASK_TERMINAL
from clawgroups.fragments.tasks import shown_state
from clawgroups.models import Approval, Attempt, Dependency, Task
from clawgroups.wording import say_plan

# Ids as text, and whether somebody is an agent: to make thousands of UUIDs takes longer than to read the rows.
_TASK = (
    *("ident", "level", "bottom_level", "title", "skills", "state", "paused", "failure", "blocked_on", "tries"),
    *("holder__name", "assignee__name", "by_agent"),
)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task of a plan: who has it, and how far they are."""

    ident: str
    item: Item
    bottom_level: int
    who: str = ""
    is_agent: bool = False
    tries: int = 0
    asks: int = 0
    ticks: tuple[int, int] = (0, 0)
    percent: int | None = None

    @property
    def pk(self) -> UUID:
        return UUID(self.ident)


@dataclass(frozen=True, slots=True)
class Rows:
    """All tasks of a run by key, in plan order, and what comes after what (parent, child)."""

    tasks: Mapping[str, TaskRow]
    edges: tuple[tuple[str, str], ...]


def rows_of(run_id: UUID) -> Rows:
    """The plan of a run, in four queries however large it is. A task's key is the end of its id."""
    open_ = (
        Approval.objects.filter(task__run=run_id, state="open").order_by().values_list("task").annotate(n=Count("pk"))
    )
    asks = {key_of(pk.hex): number for pk, number in open_}
    live = Attempt.objects.filter(task__run=run_id, state__in=[s.value for s in ATTEMPT_LIVE])
    far = {
        key_of(pk.hex): (_ticks(plan), _percent(told))
        for pk, plan, told in live.values_list("task", "plan", "progress")
    }
    rows = Task.objects.filter(run=run_id).order_by("position")
    rows_as_text = rows.annotate(ident=Cast("pk", CharField()), by_agent=Q(assignee__agent__isnull=False))
    tasks = {}
    for ident, *row in rows_as_text.values_list(*_TASK):
        level, bottom, title, skills, state, paused, failure, blocked, tries, holder, assignee, agent = row
        key, shown = key_of(ident), shown_state(state, paused, failure)
        needs = (blocked == "person" or key in asks) and state not in TASK_TERMINAL
        item = Item(key, level, say_plan(title), shown, tuple(map(str, skills)), needs)
        ticks, percent = far.get(key, ((0, 0), None))
        # Only people hold a task.
        who, is_agent = (holder, False) if holder else (assignee or "", bool(agent))
        tasks[key] = TaskRow(ident, item, bottom, who, is_agent, tries, asks.get(key, 0), ticks, percent)
    edges = Dependency.objects.filter(task__run=run_id).order_by()
    ends = edges.values_list(Cast("parent_id", CharField()), Cast("task_id", CharField()))
    return Rows(tasks, tuple((key_of(parent), key_of(child)) for parent, child in ends))


def key_of(ident: str) -> str:
    """A task's name within a picture: the random end of its id."""
    return ident[-12:]


def _ticks(plan: Any) -> tuple[int, int]:
    """Done and all entries of the agent's own plan."""
    entries = [entry for entry in plan if isinstance(entry, dict)] if isinstance(plan, list) else []
    return sum(1 for entry in entries if entry.get("status") == "completed"), len(entries)


def _percent(progress: Any) -> int | None:
    said = progress.get("percent") if isinstance(progress, dict) else None
    return max(0, min(int(said), 100)) if isinstance(said, (int, float)) else None
