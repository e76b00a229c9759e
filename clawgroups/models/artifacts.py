"""Files: inputs, results and deliverables."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.ids import new_id
from clawgroups.models.attempts import Attempt
from clawgroups.models.runs import Run
from clawgroups.models.tasks import Task
from clawgroups.models.workspaces import Workspace


class Artifact(models.Model):
    """One revision of a file. The bytes lie in the store under their SHA-256 (`services.files`)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="artifacts")
    run = models.ForeignKey(Run, models.CASCADE, related_name="artifacts", db_index=False)  # see 0030
    task = models.ForeignKey(Task, models.CASCADE, null=True, blank=True, related_name="artifacts")
    attempt = models.ForeignKey(Attempt, models.CASCADE, null=True, blank=True, related_name="artifacts")
    kind = models.CharField(max_length=12)  # input, result, late, deliverable, draft
    name = models.CharField(max_length=255)
    revision = models.PositiveIntegerField(default=1)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    content_type = models.CharField(max_length=120, default="application/octet-stream")
    actor = models.JSONField()
    created_at = models.DateTimeField()
    # When it was taken out of the draft that it belonged to; its bytes stay.
    removed_at = models.DateTimeField(null=True, blank=True)
    # Since when this revision is the final one of its name within its task, or within the run where it has none.
    pinned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "name"], condition=Q(pinned_at__isnull=False), name="one_final_revision"
            ),
            models.UniqueConstraint(
                fields=["run", "name"],
                condition=Q(pinned_at__isnull=False, task__isnull=True),
                name="one_final_revision_of_run",
            ),
        ]
        indexes = [models.Index(fields=["run", "kind"], name="artifact_by_kind")]

    def __str__(self) -> str:
        return self.name
