"""The one ordered log of a workspace, and the operations that were already done."""

from __future__ import annotations

from django.db import models

from clawgroups.models.workspaces import Workspace


class Entry(models.Model):
    """One fact. (generation, seq) is gapless within a workspace; rows are never changed."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="journal", db_index=False)  # see 0030
    generation = models.PositiveIntegerField()
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor = models.JSONField()
    type = models.CharField(max_length=60)
    payload = models.JSONField()

    class Meta:
        ordering = ["workspace", "generation", "seq"]
        verbose_name_plural = "journal entries"
        constraints = [models.UniqueConstraint(fields=["workspace", "generation", "seq"], name="journal_is_ordered")]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class Operation(models.Model):
    """The first answer to an operation id. The key is `scope|actor|operation id`."""

    key = models.CharField(max_length=300, primary_key=True)
    verb = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, blank=True)
    answer = models.JSONField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key
