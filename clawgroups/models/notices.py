"""How people want to be told that something waits for them, and what they were told."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from agents.ids import new_id


class Notifying(models.Model):
    """How a person wants to be told. `quiet`: hours in which they are not, as `core.hours` writes them."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifying")
    browser = models.BooleanField(default=True)
    mail = models.BooleanField(default=True)
    # Seconds that something has waited before a letter is written.
    mail_after = models.PositiveIntegerField(default=60)
    quiet = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return f"how {self.user_id} is told"


class Letter(models.Model):
    """A letter to a person about what waits for them (`subjects`, e.g. "approval:ID"), claimed before it is sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    subjects = models.JSONField(default=list)
    made_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["made_at"]
        indexes = [models.Index(fields=["user", "made_at"], name="letter_of_a_person")]

    def __str__(self) -> str:
        return f"letter to {self.user_id}"
