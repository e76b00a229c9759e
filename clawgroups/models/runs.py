"""Goals being carried out."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from agents.ids import new_id
from clawgroups.core.lifecycle import RunState
from clawgroups.models.workspaces import Workspace


class Run(models.Model):
    """One goal being carried out. Its state moves only through `services.runs`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="runs")
    goal = models.TextField()
    # "goal"; "talk": agents that a message in the chat names answer it, each by a task of its own; "judge": an agent
    # judges a result of another run.
    kind = models.CharField(max_length=5, default="goal")
    asked_in = models.ForeignKey(
        "clawgroups.Message", models.SET_NULL, null=True, blank=True, related_name="talks", editable=False
    )
    state = models.CharField(max_length=14, choices=[(s.value, s.name.title()) for s in RunState])
    paused = models.BooleanField(default=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    # Who made the plan and why it looks like this; shown on the plan card.
    planner = models.CharField(max_length=60, blank=True)
    rationale = models.TextField(blank=True)
    reason = models.TextField(blank=True, help_text="Why it failed, or what it waits for.")
    start_when_planned = models.BooleanField(default=False)
    # What the coordinator asks whoever gave the goal, before it can plan; and what it was told, question by question.
    question = models.TextField(blank=True)
    answers = models.JSONField(default=list, blank=True)
    # Raised by every edit of the plan: an edit of a page that shows an older one is refused.
    plan_version = models.PositiveIntegerField(default=0)
    # What was expected when it began (core.forecast), to be held against what it came to.
    forecast = models.JSONField(default=dict, blank=True)
    # A change of the plan that is proposed while it runs (core.plan_diff); empty: none.
    replan = models.JSONField(default=dict, blank=True)
    # Limits of this run {"tokens", "cost_micro", "steps", "seconds"}; what was spent; which limit was warned of or hit.
    budget = models.JSONField(default=dict, blank=True)
    spent_tokens = models.PositiveBigIntegerField(default=0)
    spent_micro = models.PositiveBigIntegerField(default=0)
    spent_steps = models.PositiveBigIntegerField(default=0)
    budget_warned = models.CharField(max_length=200, blank=True)
    budget_stop = models.CharField(max_length=200, blank=True)
    # Why the built-in coordinator stands in for the model; empty: it does not.
    fallback = models.CharField(max_length=300, blank=True)
    # Tasks not yet terminal; reaching zero is journaled by the change that got it there.
    open_tasks = models.PositiveIntegerField(default=0)
    # The critical path of the plan in tasks, and how long accepted work took in all, in milliseconds.
    path_length = models.PositiveIntegerField(default=0)
    worked_ms = models.PositiveBigIntegerField(default=0)
    # Tries after the first, over all tasks: the run's retry budget bounds them.
    retries = models.PositiveIntegerField(default=0)
    # Level-triggered wake-up of the coordinator: a turn is wanted while wanted > turned.
    wanted = models.PositiveBigIntegerField(default=0)
    turned = models.PositiveBigIntegerField(default=0)
    # The coordinator turn in progress holds the run by this lease.
    turn_owner = models.CharField(max_length=64, blank=True)
    turn_until = models.DateTimeField(null=True, blank=True)
    # Turns in a row that did not give the run back, and the step they were at as far as it is known.
    turn_crashes = models.PositiveSmallIntegerField(default=0)
    turn_step = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["id"], condition=Q(wanted__gt=F("turned")), name="run_wants_turn"),
            models.Index(fields=["workspace", "-created_at"], name="run_newest"),
            models.Index(
                fields=["deadline_at"],
                condition=Q(state__in=["planning", "running", "consolidating"]),
                name="run_open_deadline",
            ),
        ]

    def __str__(self) -> str:
        return self.goal[:80]
