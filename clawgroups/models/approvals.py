"""Questions from attempts that a person must answer."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.ids import new_id
from clawgroups.models.attempts import Attempt, Session
from clawgroups.models.tasks import Task
from clawgroups.models.workspaces import Member, Workspace


class Approval(models.Model):
    """An agent's question, bound to its attempt's epoch and the exact arguments: a permission, or a form to fill in.

    Of kind "form" its schema stands in `form`, its question in `tool_call` as "title", and what was said in `filled`.
    Of kind "question" it is asked by a tool (`ask_human`): no frame answers it, the agent reads the answer.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="approvals")
    task = models.ForeignKey(Task, models.CASCADE, related_name="approvals")
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="approvals")
    session = models.ForeignKey(Session, models.CASCADE, related_name="approvals")
    epoch = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, default="permission")  # permission, form, question
    request_id = models.JSONField(help_text="The agent's JSON-RPC id; 0 is a live one.")
    tool_call = models.JSONField(default=dict)
    options = models.JSONField(default=list)
    form = models.JSONField(default=dict, blank=True)
    filled = models.JSONField(default=dict, blank=True)
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=8, default="open")  # open, decided, expired, void
    option_id = models.CharField(max_length=200, blank=True)
    option_kind = models.CharField(max_length=20, blank=True)
    # What a person wrote, or the words of the choice.
    answer = models.TextField(blank=True)
    decided_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["asked_at"]
        indexes = [models.Index(fields=["expires_at"], condition=Q(state="open"), name="approval_open")]

    def __str__(self) -> str:
        return f"approval {self.pk} {self.state}"
