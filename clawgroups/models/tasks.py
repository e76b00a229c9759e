"""Pieces of work in a run's graph."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.ids import new_id
from clawgroups.core.lifecycle import TaskState
from clawgroups.models.runs import Run
from clawgroups.models.workspaces import Member, Workspace


class Task(models.Model):
    """One piece of work. Its state moves only through `services`; `epoch` fences every write."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="tasks")
    run = models.ForeignKey(Run, models.CASCADE, related_name="tasks", db_index=False)  # see 0030
    key = models.CharField(max_length=60)
    position = models.PositiveIntegerField()
    level = models.PositiveIntegerField(default=0, help_text="Longest path from a task without dependencies.")
    bottom_level = models.PositiveIntegerField(
        default=1, help_text="Longest path from it to a task that nothing depends on, itself counted."
    )
    title = models.CharField(max_length=200)
    instructions = models.TextField(blank=True)
    kind = models.CharField(max_length=40, blank=True)
    skills = models.JSONField(default=list)
    acceptance = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=[(s.value, s.name.title()) for s in TaskState])
    epoch = models.PositiveIntegerField(default=0)
    waiting_on = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    assignee = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    holder = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    # The open attempt; null while nobody is on it.
    attempt = models.ForeignKey("clawgroups.Attempt", models.SET_NULL, null=True, blank=True, related_name="+")
    # Every open task says who must act, by when, and what happens then.
    blocked_on = models.CharField(max_length=12, blank=True)
    next_actor = models.CharField(max_length=120, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    deadline_effect = models.CharField(max_length=200, blank=True)
    # Schedule-to-close: set when it first becomes ready, moved on by every rest.
    close_by = models.DateTimeField(null=True, blank=True)
    # Since when its deadlines rest: it waits for a person, or we were away.
    resting_since = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)
    # The kind of the last failure, of the closed list in core.failures.
    failure = models.CharField(max_length=20, blank=True)
    # How often it was written anew after its last try.
    regenerated = models.PositiveSmallIntegerField(default=0)
    # Whom the plan proposes for it and why ({"reason", "by"}); what it is expected to take, and how it is to come out.
    proposed = models.ForeignKey(Member, models.SET_NULL, null=True, blank=True, related_name="+")
    proposal = models.JSONField(default=dict, blank=True)
    minutes = models.PositiveIntegerField(default=0, help_text="Estimate of the work; 0: none was made.")
    output = models.CharField(max_length=40, blank=True)
    # The ranking behind the last assignment: reasons of the chosen, and the runners-up.
    match = models.JSONField(default=dict, blank=True)
    # What the next attempt has to know: returned reasons, hand-back brief, dead ends.
    brief = models.JSONField(default=dict, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    # Who paused it; empty: nobody. Nothing of it is given to anybody until it is resumed.
    paused = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["run", "position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "key"], name="task_key_once_per_run"),
            models.CheckConstraint(
                name="task_in_hand_has_attempt",
                condition=~Q(state__in=["assigned", "working", "held"]) | Q(assignee__isnull=False),
            ),
            models.CheckConstraint(name="held_task_has_holder", condition=~Q(state="held") | Q(holder__isnull=False)),
        ]
        indexes = [
            # The sweeper asks for overdue open tasks every two seconds.
            models.Index(
                fields=["deadline_at"],
                condition=~Q(state__in=["done", "failed", "cancelled"]),
                name="task_open_deadline",
            ),
            models.Index(
                fields=["close_by"],
                condition=~Q(state__in=["done", "failed", "cancelled"]),
                name="task_open_close_by",
            ),
            models.Index(fields=["resting_since"], condition=Q(resting_since__isnull=False), name="task_resting"),
            # One that waits for a person while its clocks run: there should be none.
            models.Index(
                fields=["run"], condition=Q(blocked_on="person", resting_since__isnull=True), name="task_unrested"
            ),
            models.Index(fields=["run", "state"], name="task_by_state"),
            # What the coordinator asks of a run in every turn, and mostly there is none.
            models.Index(fields=["run"], condition=~Q(paused=""), name="task_paused"),
            models.Index(fields=["run"], condition=Q(state="waiting") & ~Q(reason=""), name="task_waiting_told"),
        ]

    def __str__(self) -> str:
        return self.title


class Dependency(models.Model):
    """`task` waits until `parent` is done."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    task = models.ForeignKey(Task, models.CASCADE, related_name="dependencies", db_index=False)  # see 0030
    parent = models.ForeignKey(Task, models.CASCADE, related_name="dependants")

    class Meta:
        verbose_name_plural = "dependencies"
        constraints = [models.UniqueConstraint(fields=["task", "parent"], name="dependency_once")]

    def __str__(self) -> str:
        return f"{self.task_id} after {self.parent_id}"
