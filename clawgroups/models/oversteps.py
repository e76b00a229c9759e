"""Critical operations that agents carried out without asking."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from clawgroups.models.approvals import Rule
from clawgroups.models.attempts import Attempt, Step
from clawgroups.models.tasks import Task
from clawgroups.models.workspaces import Member, Workspace


class Overstep(models.Model):
    """A step that was critical and had not been asked about. It waits until somebody has looked at it.

    Its id is the step's, so that a step oversteps once.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    task = models.ForeignKey(Task, models.CASCADE, related_name="oversteps")
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="oversteps")
    step = models.ForeignKey(Step, models.CASCADE, related_name="+")
    # The rule that calls it critical.
    rule = models.ForeignKey(Rule, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    seen_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["workspace"], condition=Q(seen_at=None), name="overstep_unseen")]

    def __str__(self) -> str:
        return f"overstep {self.pk}"
