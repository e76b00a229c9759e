"""In which language, and in whose time, a person is shown and written everything."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from agents.ids import new_id


class Preferences(models.Model):
    """A person's language and time zone. Empty: what their browser says."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="preferences")
    language = models.CharField(max_length=16, blank=True)
    zone = models.CharField(max_length=60, blank=True)

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"
