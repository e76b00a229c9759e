"""One member's try at one task: its sessions, the frames it is owed, and what it did."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.ids import new_id
from agents.models import Agent
from clawgroups.core.lifecycle import AttemptState
from clawgroups.models.tasks import Task
from clawgroups.models.workspaces import Member, Workspace


class Attempt(models.Model):
    """A member's try, under one epoch of its task. A task has many, at most one of them open."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="attempts")
    task = models.ForeignKey(Task, models.CASCADE, related_name="attempts")
    member = models.ForeignKey(Member, models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    epoch = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=[(s.value, s.name.title()) for s in AttemptState])
    contact = models.CharField(max_length=4, default="live", choices=[("live", "live"), ("lost", "lost")])
    stop = models.CharField(
        max_length=12,
        default="none",
        choices=[("none", "none"), ("asked", "asked"), ("done", "done"), ("unconfirmed", "unconfirmed")],
    )
    # What the member was told: instructions, inputs, feedback, hand-back brief.
    brief = models.JSONField(default=dict)
    # Which version of the workspace's goal and rules its last prompt told; 0: it has had none that tells them.
    rules_version = models.PositiveIntegerField(default=0)
    acknowledgement = models.TextField(blank=True)
    result = models.TextField(blank=True)
    # What came after it was over: evidence, applied only when it is adopted as another attempt.
    late_result = models.TextField(blank=True)
    late_at = models.DateTimeField(null=True, blank=True)
    adopted_from = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="adopted_as")
    reason = models.TextField(blank=True)
    # The kind of its failure, of the closed list in core.failures.
    failure = models.CharField(max_length=20, blank=True)
    verdicts = models.JSONField(default=list, blank=True)
    # The agent's own plan, replaced as a whole by each ACP plan update.
    plan = models.JSONField(default=list, blank=True)
    # How far the agent says it is: {"percent", "note", "at"}.
    progress = models.JSONField(default=dict, blank=True)
    offered_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True, blank=True)
    # Two clocks: liveness is the link's lease, progress is something new said or done.
    progress_at = models.DateTimeField(null=True, blank=True)
    # Since when it has been quiet for longer than the soft stall; and how often it repeated itself since.
    quiet_since = models.DateTimeField(null=True, blank=True)
    repeats = models.PositiveIntegerField(default=0)
    # How often its holder has asked an agent's session something: what ends it is decided knowing all of it.
    asked = models.PositiveIntegerField(default=0)
    # Schedule-to-start and start-to-close, moved on by every rest.
    start_by = models.DateTimeField(null=True, blank=True)
    close_by = models.DateTimeField(null=True, blank=True)
    # While contact is lost: until when it may come back and go on.
    back_by = models.DateTimeField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["task", "number"]
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="attempt_numbered"),
            models.UniqueConstraint(
                fields=["task"],
                condition=Q(state__in=["offered", "working", "submitted"]),
                name="one_open_attempt_per_task",
            ),
        ]
        indexes = [
            models.Index(fields=["member"], condition=Q(state__in=["offered", "working"]), name="attempt_load"),
            # Turns that were asked to stop, for the sweeper and for the process that holds the socket.
            models.Index(fields=["ended_at"], condition=Q(stop__in=["asked", "unconfirmed"]), name="attempt_stopping"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.task_id}"


class Session(models.Model):
    """An ACP session on one link of an agent. It serves one attempt at a time.

    `attempt` is the one it serves now; it may later serve another attempt of the same task.
    `digest` is the keyed hash of the session's own bearer key (files and tools).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="+", db_index=False)  # see 0030
    task = models.ForeignKey(Task, models.CASCADE, related_name="sessions")
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="sessions")
    # The link it lives on; unknown until the request was sent.
    link = models.UUIDField(null=True, blank=True)
    acp_id = models.CharField(max_length=200, blank=True)
    public_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64, editable=False)
    state = models.CharField(max_length=8, default="opening")  # opening, open, closed
    # What the agent has told of it beside the work: context, cost, options, commands (core.session_state).
    told = models.JSONField(default=dict, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    # When its key first came in at `/mcp`; null: this agent has not used the workspace's tools.
    tools_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["agent", "acp_id"], name="session_by_acp_id")]

    def __str__(self) -> str:
        return f"session {self.acp_id or self.pk}"


class Command(models.Model):
    """One frame the server owes an agent: a request, a notification, or the reply to its request.

    The primary key is the JSON-RPC id of a request. Read by the process that holds the agent's
    socket. States: open -> sent -> answered | failed | interrupted; void when no longer wanted.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, null=True, blank=True, related_name="commands")
    attempt = models.ForeignKey(Attempt, models.CASCADE, null=True, blank=True, related_name="commands")
    epoch = models.PositiveIntegerField(default=0, help_text="The task epoch it belongs to.")
    # open, set, work, acknowledge, steer, cancel, reply, close; of the agent itself: list, authenticate, logout
    purpose = models.CharField(max_length=20)
    method = models.CharField(max_length=60, blank=True)
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=12, default="open")
    # A prompt that shall not wait for the turn under way, only for the step that the turn is in.
    after_step = models.BooleanField(default=False)
    link = models.UUIDField(null=True, blank=True, help_text="The link it was sent on.")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answer = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(fields=["agent", "created_at"], condition=Q(state__in=["open", "sent"]), name="command_owed")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.method} {self.state}"


class Step(models.Model):
    """One recorded action inside an attempt: an ACP tool call, upserted by its id."""

    id = models.UUIDField(primary_key=True, editable=False)
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="steps")
    ordinal = models.PositiveIntegerField()
    tool_call_id = models.CharField(max_length=200)
    title = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=20, blank=True)
    status = models.CharField(max_length=12, default="pending")
    detail = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["attempt", "ordinal"]

    def __str__(self) -> str:
        return self.title or self.tool_call_id


class Part(models.Model):
    """One message or thought of an attempt's transcript, upserted by message id, text appended.

    `after_stop` marks what came after the commit point of a takeover or cancel: read-only evidence.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="parts")
    ordinal = models.PositiveIntegerField()
    kind = models.CharField(max_length=10)  # text, thought, prompt, notice, machine, unknown
    text = models.TextField(default="")
    after_stop = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        ordering = ["attempt", "ordinal"]

    def __str__(self) -> str:
        return f"{self.kind} {self.ordinal}"


class Draft(models.Model):
    """A version of a held task's text; the newest of kind "own" is the draft.

    "offered": what an agent answered when it was steered, until its holder takes it. "kept": what somebody typed who
    did not hold the task any more; it is theirs to copy from, and part of nothing.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="drafts")
    version = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, default="own")  # own, offered, kept
    # The version it was made from, where that is known.
    base = models.PositiveIntegerField(null=True, blank=True)
    text = models.TextField(blank=True)
    actor = models.JSONField()
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ["attempt", "version"]
        constraints = [models.UniqueConstraint(fields=["attempt", "version"], name="draft_versioned")]

    def __str__(self) -> str:
        return f"draft {self.version}"
