"""Model servers, what they were asked, what was spent, and what people chose instead of what was proposed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.ids import new_id
from agents.models import Agent
from clawgroups.models.runs import Run
from clawgroups.models.tasks import Task
from clawgroups.models.workspaces import Member, Workspace


class ModelServer(models.Model):
    """A model at a server, for the whole installation. The first in order that is well is asked."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=80)
    provider = models.CharField(max_length=20)
    url = models.CharField(max_length=500)
    model = models.CharField(max_length=200)
    # Its key, sealed (`clawgroups.sealing`, purpose "model server <id>").
    secret = models.TextField(blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    enabled = models.BooleanField(default=True)
    # Set by the environment (CLAWGROUPS_COORDINATOR_*), and then not edited in the page.
    from_environment = models.BooleanField(default=False)
    mode = models.CharField(max_length=20, blank=True, help_text="Of calls whose workspace names none.")
    concurrency = models.PositiveSmallIntegerField(default=4)
    prices = models.JSONField(default=dict, blank=True, help_text="USD per million tokens: miss, hit, out.")
    timeouts = models.JSONField(default=dict, blank=True, help_text="Seconds, as in agents.llm.base.Timeouts.")
    extra = models.JSONField(default=dict, blank=True, help_text="What else goes into the body of each request.")
    # Circuit breaker: closed, open (until `breaker_until`), probing (one call).
    breaker = models.CharField(max_length=12, default="closed")
    breaker_until = models.DateTimeField(null=True, blank=True)
    # {"faults": how many in a row, "kind", "said", "at"} of the last calls.
    health = models.JSONField(default=dict, blank=True)
    # What the last test of it found (agents.llm.base.Checked).
    checked = models.JSONField(default=dict, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["position", "created_at", "id"]

    def __str__(self) -> str:
        return self.name


class ModelCall(models.Model):
    """One question to a model: recorded before it is asked, its answer before anybody acts on it.

    `waiting` (until `not_before`) -> `calling` (by `owner`, a lease until `until`) -> `answered` | `failed`;
    `cancelled` when nobody wants it any more. `(run, kind, subject, round)` names it, so that the same question is
    asked once however often a turn is repeated; a round above 0 asks to mend the answer of the one before. One of kind
    `hear` has no run: its subject is the message that it is about.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="model_calls")
    run = models.ForeignKey(Run, models.CASCADE, null=True, blank=True, related_name="model_calls")
    task = models.ForeignKey(Task, models.SET_NULL, null=True, blank=True, related_name="+")
    kind = models.CharField(max_length=20)  # plan, match, anew, judge, replan, hear
    subject = models.CharField(max_length=120, blank=True)
    round = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=10, default="waiting")
    mode = models.CharField(max_length=20, blank=True)
    priority = models.SmallIntegerField(default=0)
    # SHA-256 of the situation it was made from; the neutral request (`agents.llm.base.Request`).
    digest = models.CharField(max_length=64, blank=True)
    request = models.JSONField(default=dict)
    server = models.ForeignKey(ModelServer, models.SET_NULL, null=True, blank=True, related_name="+")
    model = models.CharField(max_length=200, blank=True)
    rid = models.CharField(max_length=64, blank=True)
    # The server's JSON as it came; never shown as chat, never fed back.
    raw = models.JSONField(default=dict, blank=True)
    text = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    # What was read from it: the decision, or what is wrong with it.
    decision = models.JSONField(null=True, blank=True)
    problems = models.JSONField(default=list, blank=True)
    acted_at = models.DateTimeField(null=True, blank=True)
    fault = models.CharField(max_length=20, blank=True)
    said = models.CharField(max_length=500, blank=True, help_text="Why it waits or has failed.")
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    # Until when an answer is worth waiting for; then the built-in coordinator goes on.
    give_up_at = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=64, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    reasoning_tokens = models.PositiveIntegerField(default=0)
    cost_micro = models.PositiveBigIntegerField(default=0, help_text="Millionths of a US dollar.")
    first_ms = models.PositiveIntegerField(default=0)
    took_ms = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "kind", "subject", "round"], name="model_call_once"),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state__in=["waiting", "calling"]), name="model_call_open"),
            models.Index(fields=["workspace", "-created_at"], name="model_call_newest"),
            # What was asked of late, for the administration; and what is over, for retention.
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="model_call_ended"),
            # About messages, whose answers are not acted on yet: they belong to no run that would be woken.
            models.Index(fields=["created_at"], condition=Q(kind="hear", acted_at=None), name="model_call_unheard"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} {self.state}"


class Usage(models.Model):
    """What one agent (none: the coordinator) used for one run on one day. Its key is made of these, so it is once."""

    id = models.UUIDField(primary_key=True, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="usage")
    run = models.ForeignKey(Run, models.CASCADE, null=True, blank=True, related_name="usage")
    agent = models.ForeignKey(Agent, models.CASCADE, null=True, blank=True, related_name="+")
    day = models.DateField()
    calls = models.PositiveIntegerField(default=0)
    steps = models.PositiveIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    cached_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    reasoning_tokens = models.PositiveBigIntegerField(default=0)
    cost_micro = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-day", "id"]
        verbose_name_plural = "usage"
        indexes = [
            models.Index(fields=["workspace", "day"], name="usage_of_workspace"),
            models.Index(fields=["agent", "day"], condition=Q(agent__isnull=False), name="usage_of_agent"),
        ]

    def __str__(self) -> str:
        return f"usage {self.day}"


class Override(models.Model):
    """A person chose another member for a task than was proposed: the matching learns from it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="overrides")
    task = models.ForeignKey(Task, models.CASCADE, related_name="overrides")
    skills = models.JSONField(default=list)
    proposed = models.ForeignKey(Member, models.CASCADE, null=True, blank=True, related_name="+")
    chosen = models.ForeignKey(Member, models.CASCADE, related_name="+")
    actor = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "id"]
        indexes = [models.Index(fields=["workspace", "-at"], name="override_newest")]

    def __str__(self) -> str:
        return f"{self.chosen_id} for {self.task_id}"
