"""The audit trail: rows in chains, and where each chain ends."""

from __future__ import annotations

from django.db import models


class AuditHead(models.Model):
    """The end of a chain: a workspace's, by its id, or the installation's. Locked by whoever adds a row."""

    id = models.UUIDField(primary_key=True, editable=False)
    number = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.id} at {self.number}"


class AuditRow(models.Model):
    """What was done, by whom, and a digest that binds it to the row before (`core.audit`). Rows are never changed."""

    id = models.BigAutoField(primary_key=True)
    chain = models.UUIDField(editable=False)
    number = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    action = models.CharField(max_length=60)
    who = models.CharField(max_length=200, blank=True)
    told = models.TextField()
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["chain", "number"]
        constraints = [models.UniqueConstraint(fields=["chain", "number"], name="audit_is_ordered")]

    def __str__(self) -> str:
        return f"{self.number} {self.action}"
