"""Who else is at a task: people who watch it, and people who ask its holder for it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.ids import new_id
from clawgroups.models.tasks import Task
from clawgroups.models.workspaces import Member, Workspace


class ControlRequest(models.Model):
    """A person asks whoever holds a task for it, or is offered it by them.

    States: open (asked for) or offered -> granted | refused | withdrawn | void (the task moved on).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    task = models.ForeignKey(Task, models.CASCADE, related_name="control_requests")
    member = models.ForeignKey(Member, models.CASCADE, related_name="+")
    # Whom it was asked of: another holder is asked anew.
    holder = models.ForeignKey(Member, models.CASCADE, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=9, default="open")
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["asked_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "member"], condition=Q(state="open"), name="one_open_request_per_person"
            )
        ]

    def __str__(self) -> str:
        return f"{self.member_id} asks for {self.task_id}: {self.state}"


class Watch(models.Model):
    """A person has a task's page open. A lease: renewed while it is, gone when it is not; never in the journal."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    task = models.ForeignKey(Task, models.CASCADE, related_name="watches")
    member = models.ForeignKey(Member, models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "member"], name="one_watch_per_person")]

    def __str__(self) -> str:
        return f"{self.member_id} watches {self.task_id}"
