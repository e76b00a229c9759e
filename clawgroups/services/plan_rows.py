"""A plan as rows: its tasks with whom it proposes for each, and what each waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups.core.changes import Insert, Write
from clawgroups.core.lifecycle import TaskState
from clawgroups.core.plan import PlanTask, handle_of, places
from clawgroups.core.timers import Bounds, wait_for_parents
from clawgroups.models import Member, Run


def task_rows(run: Run, plan: Sequence[PlanTask], *, by: str) -> list[Write]:
    """The rows of a checked plan of a run whose plan was made `by` this planner. Who is no member is not proposed."""
    now = timezone.now()
    waits = wait_for_parents().columns(Bounds(run=run.deadline_at))
    ids = {task.key: new_id() for task in plan}
    place = places(plan)
    members = _members(run, plan)
    rows: list[Write] = []
    for position, task in enumerate(plan):
        parents = list(dict.fromkeys(task.depends_on))
        values = {
            "workspace_id": run.workspace_id,
            "run_id": run.pk,
            "key": task.key,
            "position": position,
            "level": place[task.key].level,
            "bottom_level": place[task.key].bottom_level,
            "title": task.title,
            "instructions": task.instructions,
            "kind": task.kind,
            "skills": list(task.skills),
            "acceptance": list(task.acceptance),
            "state": TaskState.WAITING.value,
            "waiting_on": len(parents),
            "minutes": task.minutes,
            "output": task.output,
            "created_at": now,
            **_proposed(task, members, by),
            **waits,
        }
        rows.append(Insert("clawgroups.Task", ids[task.key], values))
        rows += [
            Insert("clawgroups.Dependency", new_id(), {"task_id": ids[task.key], "parent_id": ids[p]}) for p in parents
        ]
    return rows


def _members(run: Run, plan: Sequence[PlanTask]) -> dict[str, UUID]:
    if not any(task.assignee for task in plan):
        return {}
    here = Member.objects.filter(workspace_id=run.workspace_id, left_at=None).values_list("handle", "pk")
    return {handle.casefold(): pk for handle, pk in here}


def _proposed(task: PlanTask, members: dict[str, UUID], by: str) -> dict[str, Any]:
    pk = members.get(handle_of(task.assignee)) if task.assignee else None
    return {"proposed_id": pk, "proposal": {} if pk is None else {"reason": task.why, "by": by}}
