"""Who can work: registered agents, their keys, skills and connections. Knows no workspace."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.ids import new_id


class Agent(models.Model):
    """A registered external program that speaks ACP, owned by a person."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="agents")
    name = models.CharField(max_length=80)
    handle = models.SlugField(max_length=40, unique=True, help_text="What people write after the @.")
    description = models.TextField(blank=True)
    # As its owner says it, e.g. by a card; what the program says of itself is in `announced`.
    version = models.CharField(max_length=80, blank=True)
    toolkits = models.JSONField(default=list, blank=True)
    model = models.CharField(max_length=120, blank=True)
    device = models.CharField(max_length=120, blank=True)
    cwd = models.CharField(max_length=500, blank=True, help_text="Work folder of an agent without connector.")
    max_sessions = models.PositiveSmallIntegerField(default=1)
    is_builtin = models.BooleanField(default=False)
    retired_at = models.DateTimeField(null=True, blank=True)
    auth_version = models.PositiveIntegerField(default=1)
    # Raised at every accepted connection; the last one wins.
    connection_epoch = models.PositiveIntegerField(default=0)
    # Circuit breaker: closed, open (no work until `breaker_until`), probing (one task), quarantined.
    breaker = models.CharField(max_length=12, default="closed")
    breaker_until = models.DateTimeField(null=True, blank=True)
    # What the breaker is decided from: {"recent": [bool], "opens": [time], "violations": [time], "reason"}.
    health = models.JSONField(default=dict, blank=True)
    # What `initialize` announced last; display and gating only, never authority.
    announced = models.JSONField(default=dict, blank=True)
    # What its owner wants set in each new session, by option id; and the options that its last session offered.
    preferences = models.JSONField(default=dict, blank=True)
    offered = models.JSONField(default=list, blank=True)
    # Limits in a calendar month {"tokens", "cost_micro"}; and since when a skill's record counts {skill: ISO time}.
    budget = models.JSONField(default=dict, blank=True)
    record_since = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} (@{self.handle})"


class Skill(models.Model):
    """One line of an agent's skill profile; `level` 1 (knows of it) to 5 (master)."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="skills")
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.SlugField(max_length=60)
    # What people call it, where that is not its name.
    title = models.CharField(max_length=80, blank=True)
    description = models.CharField(max_length=300, blank=True)
    level = models.PositiveSmallIntegerField(default=3)
    tags = models.JSONField(default=list, blank=True)
    examples = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["-level", "name"]
        constraints = [
            models.UniqueConstraint(fields=["agent", "name"], name="skill_once_per_agent"),
            models.CheckConstraint(name="skill_level_1_to_5", condition=Q(level__gte=1, level__lte=5)),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.level}"


class Announcement(models.Model):
    """What `initialize` announced from a moment on, until it announced something else. The last few are kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="announcements")
    at = models.DateTimeField()
    said = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"announced {self.at:%Y-%m-%d %H:%M}"


class BreakerMove(models.Model):
    """A move of an agent's breaker: to which state, why, and by whom. The last few are kept.

    `detail` is what was said about the last failure: from one workspace, so for the agent's owner alone.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="breaker_moves")
    at = models.DateTimeField()
    state = models.CharField(max_length=12)
    reason = models.CharField(max_length=400, blank=True)
    detail = models.CharField(max_length=400, blank=True)
    actor = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.state} {self.at:%Y-%m-%d %H:%M}"


class AgentKey(models.Model):
    """A bearer key of an agent. Only its keyed hash is stored; it is shown once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="keys")
    public_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"key {self.public_id}…"


class Enrolment(models.Model):
    """A code by which a machine lets an agent in for the first time: it brings a key, once, and the code is used up.

    Only the code's keyed hash is stored. `key` is what came by it, so that an answer that was lost can be asked again.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="enrolments")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    # Which program the copied line starts, e.g. "kimi"; empty where its owner fills it in.
    launcher = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    key = models.ForeignKey(AgentKey, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"enrolment until {self.expires_at:%Y-%m-%d %H:%M}"


class Connection(models.Model):
    """One link of an agent: a running child behind a connector, or one plain socket.

    The primary key is the connector's link id, so a reconnect of the same child finds its row:
    `received` counts the frames taken from it durably. It is a lease: alive while `seen_at` is
    renewed by the process that holds the socket.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="connections")
    key = models.ForeignKey(AgentKey, models.SET_NULL, null=True, related_name="+")
    epoch = models.PositiveIntegerField()
    received = models.PositiveBigIntegerField(default=0)
    extensions = models.JSONField(default=list)
    client = models.JSONField(default=dict)
    process = models.CharField(max_length=64)
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True, help_text="When `initialize` was answered.")
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        # "Is this agent here?" and the sweep of silent links.
        indexes = [
            models.Index(fields=["agent", "-epoch"], name="connection_latest"),
            models.Index(fields=["seen_at"], condition=Q(closed_at=None), name="connection_open_seen"),
        ]

    def __str__(self) -> str:
        return f"link {self.pk} epoch {self.epoch}"


class Dial(models.Model):
    """An agent that does not dial in: where it is dialled, and who is at it now. Its key is the agent's.

    A lease as well: while a process is at it, it renews `until`. `epoch` is raised whenever somebody takes it or
    changes it, so that whoever had it before writes nothing any more.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    agent = models.OneToOneField(Agent, models.CASCADE, related_name="dial")
    address = models.CharField(max_length=500)
    # The bearer it asks for, sealed (`clawgroups.sealing`).
    secret = models.TextField(blank=True)
    # An administrator allows that this very address leads into a private network.
    private = models.BooleanField(default=False)
    # waiting (for the next try at `next_at`), dialling, connected, refused (until its owner does something).
    state = models.CharField(max_length=12, default="waiting")
    said = models.CharField(max_length=300, blank=True, help_text="Why it is not connected.")
    since = models.DateTimeField()
    tries = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()
    epoch = models.PositiveIntegerField(default=0)
    process = models.CharField(max_length=64, blank=True)
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        # "Who is to be dialled now?"
        indexes = [models.Index(fields=["next_at"], condition=~Q(state="refused"), name="dial_due")]

    def __str__(self) -> str:
        return f"dial of {self.agent_id}: {self.state}"
