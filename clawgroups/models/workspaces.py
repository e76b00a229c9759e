"""The shared room and its seats."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.ids import new_id
from agents.models import Agent
from clawgroups.core.actors import Role


class Workspace(models.Model):
    """The shared room ("group"): its name, goal, rules and the head of its journal."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=120)
    goal = models.TextField(blank=True)
    rules = models.TextField(blank=True)
    # Raised whenever the goal or the rules become other words: a prompt tells those of one version.
    rules_version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    # A restore from backup raises the generation; (generation, seq) orders everything.
    generation = models.PositiveIntegerField(default=1)
    head = models.PositiveBigIntegerField(default=0)
    # The reactions' cursor in the journal: everything up to it has been reacted to.
    reacted = models.PositiveBigIntegerField(default=0)
    # Overrides of the default timers, in seconds (see core.timers).
    timers = models.JSONField(default=dict, blank=True)
    # How the coordinator works here: its model and modes, when a plan starts, limits (see core.coordination).
    coordination = models.JSONField(default=dict, blank=True)
    # Since when it is closed: it is read, and nothing is done in it any more, until it is opened again.
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            # The sweeper's question: whose journal has moved on since the last reaction?
            models.Index(fields=["id"], condition=Q(head__gt=models.F("reacted")), name="workspace_unreacted")
        ]

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """A seat: a person or an agent, with a role. A seat that was left keeps its row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="members", db_index=False)  # see 0030
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="seats")
    agent = models.ForeignKey(Agent, models.PROTECT, null=True, blank=True, related_name="seats")
    name = models.CharField(max_length=80)
    handle = models.CharField(max_length=150)
    role = models.CharField(max_length=8, choices=[(r.value, r.name.title()) for r in Role])
    # Raised whenever the role changes, the seat is left or muted: sockets and changes compare it.
    auth_version = models.PositiveIntegerField(default=1)
    # Since when it writes no messages; it does everything else that its role allows.
    muted_at = models.DateTimeField(null=True, blank=True)
    # Of a person who may be asked to do tasks: skills {name: level}, hours {"zone", "days", "from", "to"}, and how many
    # tasks at once; 0: is not asked.
    skills = models.JSONField(default=dict, blank=True)
    hours = models.JSONField(default=dict, blank=True)
    capacity = models.PositiveSmallIntegerField(default=0)
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["joined_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="one_seat_per_person"),
            models.UniqueConstraint(fields=["workspace", "agent"], name="one_seat_per_agent"),
            models.CheckConstraint(
                name="seat_of_a_person_or_an_agent",
                condition=Q(user=None, agent__isnull=False) | Q(user__isnull=False, agent=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} in {self.workspace_id}"
