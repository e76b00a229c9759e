"""Who is asked when nobody can go on with a task, by name."""

from __future__ import annotations

from clawgroups.models import Member, Task
from clawgroups.services.deadlines import name_of


def who_can_help(task: Task) -> str:
    """The owner of the only agent that fits, as nobody else can do anything about it; else who asked for the run."""
    fits = [m for m in _agents(task) if set(task.skills) <= {skill.name for skill in m.agent.skills.all()}]
    if len(fits) == 1 and fits[0].agent.owner_id != task.run.created_by_id:
        owner = Member.objects.filter(
            workspace_id=task.workspace_id, user_id=fits[0].agent.owner_id, left_at=None, user__is_active=True
        ).first()
        if owner is not None:
            return f"{owner.name}, who owns {fits[0].name}"
    return name_of(task.run)


def _agents(task: Task) -> list[Member]:
    seats = Member.objects.filter(workspace_id=task.workspace_id, left_at=None, agent__retired_at=None)
    return list(seats.filter(agent__isnull=False).select_related("agent").prefetch_related("agent__skills"))
