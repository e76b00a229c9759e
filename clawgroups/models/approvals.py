"""Questions from attempts that a person must answer, and the rules that answer some of them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.ids import new_id
from agents.models import Agent
from clawgroups.models.attempts import Attempt, Session
from clawgroups.models.runs import Run
from clawgroups.models.tasks import Task
from clawgroups.models.workspaces import Member, Workspace


class Approval(models.Model):
    """An agent's question, bound to its attempt's epoch and the exact arguments: a permission, or a form to fill in.

    Of kind "form" its schema stands in `form`, its question in `tool_call` as "title", and what was said in `filled`.
    Of kind "question" it is asked by a tool (`ask_human`): no frame answers it, the agent reads the answer.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="approvals")
    task = models.ForeignKey(Task, models.CASCADE, related_name="approvals")
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="approvals")
    session = models.ForeignKey(Session, models.CASCADE, related_name="approvals")
    epoch = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, default="permission")  # permission, form, question
    request_id = models.JSONField(help_text="The agent's JSON-RPC id; 0 is a live one.")
    tool_call = models.JSONField(default=dict)
    options = models.JSONField(default=list)
    form = models.JSONField(default=dict, blank=True)
    filled = models.JSONField(default=dict, blank=True)
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=8, default="open")  # open, decided, expired, void
    option_id = models.CharField(max_length=200, blank=True)
    option_kind = models.CharField(max_length=20, blank=True)
    # Whom it is put to: one person, until `escalates_at`; nobody means everybody who may answer.
    asked_of = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    escalates_at = models.DateTimeField(null=True, blank=True)
    # The same for questions that ask for the same thing: one answer may go to all of them.
    sameness = models.CharField(max_length=64, blank=True)
    # The rule that answered, or that calls it critical; then so many people must agree.
    rule = models.ForeignKey("clawgroups.Rule", models.PROTECT, null=True, blank=True, related_name="answered")
    needed = models.PositiveSmallIntegerField(default=1)
    # How many have agreed; one who agrees at the same moment as another finds it moved.
    agreed = models.PositiveSmallIntegerField(default=0)
    # Of a void one: changed, withdrawn, taken_over, or over (its attempt, or its turn).
    why = models.CharField(max_length=12, blank=True)
    # What the agent was told, where that is not the option that was chosen: an "always" is kept by us.
    sent_option = models.CharField(max_length=200, blank=True)
    # What a person wrote, or the words of the choice.
    answer = models.TextField(blank=True)
    decided_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["asked_at"]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="approval_open"),
            models.Index(fields=["workspace", "asked_at"], name="approval_asked"),
        ]

    def __str__(self) -> str:
        return f"approval {self.pk} {self.state}"


class Vote(models.Model):
    """One of several people who must agree has agreed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    approval = models.ForeignKey(Approval, models.CASCADE, related_name="votes")
    member = models.ForeignKey(Member, models.PROTECT, related_name="+")
    option_id = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["approval", "member"], name="one_vote_per_person")]

    def __str__(self) -> str:
        return f"{self.member_id} agrees to {self.approval_id}"


class Rule(models.Model):
    """What is answered to requests of these kinds, on these paths, or with these commands; all where none is named.

    `answer`: deny, critical (asked always, of `needed` people), allow, ask; in this order the first that fits counts.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="answer_rules")
    answer = models.CharField(max_length=8)
    kinds = models.JSONField(default=list, blank=True)
    paths = models.JSONField(default=list, blank=True)
    commands = models.JSONField(default=list, blank=True)
    # For one agent, or within one run, only.
    agent = models.ForeignKey(Agent, models.CASCADE, null=True, blank=True, related_name="+")
    run = models.ForeignKey(Run, models.CASCADE, null=True, blank=True, related_name="+")
    needed = models.PositiveSmallIntegerField(default=1)
    note = models.CharField(max_length=300, blank=True)
    # The question that a person answered with it.
    made_from = models.UUIDField(null=True, blank=True)
    # For exactly what that question asked for (`Approval.sameness`), and nothing else.
    exactly = models.CharField(max_length=64, blank=True)
    made_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["made_at", "id"]
        indexes = [models.Index(fields=["workspace"], condition=Q(revoked_at=None), name="rule_in_force")]

    def __str__(self) -> str:
        return f"{self.answer} {self.kinds or self.commands or self.paths or 'everything'}"
