"""What people and agents say to each other."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.ids import new_id
from clawgroups.models.workspaces import Member, Workspace


class Message(models.Model):
    """A message in the group chat (task is null) or in a task's thread.

    `actor` is the sender as the server knew it; `member` is null for the coordinator and the system.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="messages", db_index=False)  # see 0030
    task = models.ForeignKey("clawgroups.Task", models.CASCADE, null=True, blank=True, related_name="messages")
    run = models.ForeignKey("clawgroups.Run", models.SET_NULL, null=True, blank=True, related_name="messages")
    member = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="messages")
    actor = models.JSONField()
    body = models.TextField()
    reply_to = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="replies")
    created_at = models.DateTimeField()
    # When its words were last changed, and when it was taken back: its place stays, its words and files are gone.
    edited_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    # How many agents have answered one after the other since a person last spoke; and why those that it names were not
    # woken then: {"why", "members": [id]}, until a person lets them go on.
    turn = models.PositiveSmallIntegerField(default=0)
    held_up = models.JSONField(default=dict, blank=True)
    # What the coordinator makes of a message that names nobody: {"state": "waiting"}, then {"state": "decided", "did",
    # "why", "by"}. Empty: it is not asked.
    heard = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["workspace", "task", "created_at"], name="message_thread")]

    def __str__(self) -> str:
        return self.body[:60]


class MessageVersion(models.Model):
    """What a message said before it was changed; the newest words are in the message itself."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    message = models.ForeignKey(Message, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    body = models.TextField()
    said_at = models.DateTimeField()

    class Meta:
        ordering = ["message", "number"]
        constraints = [models.UniqueConstraint(fields=["message", "number"], name="message_versioned")]

    def __str__(self) -> str:
        return self.body[:60]


class MessageFile(models.Model):
    """A file that was sent along with a message. The bytes lie in the store under their SHA-256."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, models.CASCADE, related_name="files")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    content_type = models.CharField(max_length=120, default="application/octet-stream")

    class Meta:
        ordering = ["message", "position"]

    def __str__(self) -> str:
        return self.name


class Reaction(models.Model):
    """A member's sign on a message."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, models.CASCADE, related_name="reactions")
    member = models.ForeignKey(Member, models.CASCADE, related_name="+")
    sign = models.CharField(max_length=16)
    at = models.DateTimeField()

    class Meta:
        ordering = ["message", "at", "id"]
        constraints = [models.UniqueConstraint(fields=["message", "member", "sign"], name="reaction_once")]

    def __str__(self) -> str:
        return self.sign


class ReadMark(models.Model):
    """How far a person has read the chat (`task` null) or a task's thread. Nobody else's business: never journaled."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, models.CASCADE, related_name="+")
    task = models.ForeignKey("clawgroups.Task", models.CASCADE, null=True, blank=True, related_name="+")
    # Everything said up to then, that moment included.
    read_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member"], condition=Q(task=None), name="one_mark_per_chat"),
            models.UniqueConstraint(fields=["member", "task"], name="one_mark_per_thread"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} has read to {self.read_at}"


class Seen(models.Model):
    """A person has a page open. A lease: renewed by the process that holds the socket, gone when it is not."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user_id} at {self.seen_at}"
