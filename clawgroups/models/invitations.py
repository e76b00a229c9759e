"""Links that let somebody in: as a member of a workspace, or to look at one run. Only a code's keyed hash is stored."""

from __future__ import annotations

from django.db import models

from agents.ids import new_id
from clawgroups.core.actors import Role
from clawgroups.models.runs import Run
from clawgroups.models.workspaces import Member, Workspace


class Invitation(models.Model):
    """A code by which people join with a role: so many of them, until a time, while whoever made it may invite."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=8, choices=[(r.value, r.name.title()) for r in Role])
    note = models.CharField(max_length=80, blank=True, help_text="For whom it is; shown to admins alone.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    most_uses = models.PositiveSmallIntegerField(default=1)
    uses = models.PositiveSmallIntegerField(default=0)
    made_by = models.ForeignKey(Member, models.CASCADE, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [
            models.CheckConstraint(name="invitation_not_overused", condition=models.Q(uses__lte=models.F("most_uses")))
        ]

    def __str__(self) -> str:
        return f"invitation as {self.role} until {self.expires_at:%Y-%m-%d %H:%M}"


class Share(models.Model):
    """A code by which anybody looks at one run, without an account, until a time."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="shares")
    run = models.ForeignKey(Run, models.CASCADE, related_name="shares")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    made_by = models.ForeignKey(Member, models.CASCADE, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return f"read-only link until {self.expires_at:%Y-%m-%d %H:%M}"
