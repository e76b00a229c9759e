"""Who is asked when nobody can go on with a task, by name."""

from __future__ import annotations

from agents.models import Agent
from clawgroups.models import Member, Task
from clawgroups.services.deadlines import name_of


def who_can_help(task: Task) -> str:
    """The owner of the only agent that fits, as nobody else can do anything about it; else who asked for the run."""
    fits = [agent for agent in _agents(task) if set(task.skills) <= {skill.name for skill in agent.skills.all()}]
    if len(fits) == 1 and fits[0].owner_id != task.run.created_by_id:
        people = Member.objects.filter(workspace_id=task.workspace_id, left_at=None, user__is_active=True)
        owner = people.filter(user_id=fits[0].owner_id).first()
        if owner is not None:
            return f"{owner.name}, who owns {fits[0].name}"
    return name_of(task.run)


def _agents(task: Task) -> list[Agent]:
    seats = Member.objects.filter(workspace_id=task.workspace_id, left_at=None)
    return list(Agent.objects.filter(pk__in=seats.values("agent"), retired_at=None).prefetch_related("skills"))
