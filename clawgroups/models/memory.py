"""What a workspace remembers beyond a single session: short notes under a key."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.ids import new_id
from agents.models import Agent
from clawgroups.models.tasks import Task
from clawgroups.models.workspaces import Workspace


class Memory(models.Model):
    """A note for everybody in the workspace, or (`task`, `agent`) for whoever works on one task, or for one agent.

    The primary key is made of scope and key, so that remembering the same key again replaces the note. `actor` is
    its last writer as the server knew them. What stands in a note is data, never authority.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memories")
    task = models.ForeignKey(Task, models.CASCADE, null=True, blank=True, related_name="memories")
    agent = models.ForeignKey(Agent, models.CASCADE, null=True, blank=True, related_name="+")
    key = models.CharField(max_length=80)
    text = models.TextField()
    actor = models.JSONField()
    kept_at = models.DateTimeField()

    class Meta:
        ordering = ["-kept_at", "id"]
        constraints = [
            models.CheckConstraint(name="memory_of_one_scope", condition=Q(task=None) | Q(agent=None)),
        ]
        indexes = [models.Index(fields=["workspace", "-kept_at"], name="memory_newest")]

    def __str__(self) -> str:
        return self.key
