"""What people and agents say to each other."""

from __future__ import annotations

from django.db import models

from agents.ids import new_id
from clawgroups.models.workspaces import Member, Workspace


class Message(models.Model):
    """A message in the group chat (task is null) or in a task's thread.

    `actor` is the sender as the server knew it; `member` is null for the coordinator and the system.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="messages")
    task = models.ForeignKey("clawgroups.Task", models.CASCADE, null=True, blank=True, related_name="messages")
    run = models.ForeignKey("clawgroups.Run", models.SET_NULL, null=True, blank=True, related_name="messages")
    member = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="messages")
    actor = models.JSONField()
    body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["workspace", "task", "created_at"], name="message_thread")]

    def __str__(self) -> str:
        return self.body[:60]
