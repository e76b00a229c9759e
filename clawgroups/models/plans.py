"""What became of a proposed plan before its run began."""

from __future__ import annotations

from django.db import models

from agents.ids import new_id
from clawgroups.models.runs import Run


class PlanEdit(models.Model):
    """One edit of a proposed plan: it made this version, and `reverse` makes the one before of it again."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, models.CASCADE, related_name="plan_edits")
    version = models.PositiveIntegerField()
    said = models.CharField(max_length=300)
    actor = models.JSONField()
    at = models.DateTimeField()
    reverse = models.JSONField(default=dict)
    # The version that took it back.
    undone = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["run", "version"]
        constraints = [models.UniqueConstraint(fields=["run", "version"], name="plan_edit_once")]

    def __str__(self) -> str:
        return self.said
