"""Leases of periodic work: who may do it now, and proof that it was done lately."""

from __future__ import annotations

from django.db import models


class Lease(models.Model):
    """One kind of periodic work, held by one process at a time until `until`."""

    name = models.CharField(max_length=40, primary_key=True)
    owner = models.CharField(max_length=64)
    until = models.DateTimeField()
    # When the work was last done to its end; `readyz` looks at this.
    done_at = models.DateTimeField(null=True, blank=True)
    # What was found when it was last done (the watchdog's proof and its exceptions).
    detail = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return f"{self.name} held by {self.owner}"


class WriterMark(models.Model):
    """The last batch that a process's writer committed: written in that batch, so that it proves it.

    PostgreSQL's own number of a transaction does not: after a crash it gives a number out again whose transaction
    had not reached the disk.
    """

    id = models.UUIDField(primary_key=True)
    number = models.PositiveBigIntegerField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.id} at {self.number}"
