"""What belongs to the whole installation: its settings, and archives of workspaces that were asked for."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from agents.ids import new_id
from clawgroups.models.workspaces import Workspace


class Setting(models.Model):
    """What staff have said of one of `core.installation`; without a row it is as the environment says."""

    name = models.CharField(max_length=40, primary_key=True)
    value = models.JSONField(null=True)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    set_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Export(models.Model):
    """A workspace as one archive: waiting -> making (a lease until `until`) -> ready | failed; gone once pruned."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="exports")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=8, default="waiting")
    until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)
    said = models.CharField(max_length=300, blank=True, help_text="Why it failed.")
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    entries = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-asked_at", "-id"]

    def __str__(self) -> str:
        return f"archive of {self.workspace_id}"
