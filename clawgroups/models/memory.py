"""What a workspace remembers beyond a single session: short notes under a key, and what they once said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q
from django.db.models.sql.compiler import SQLCompiler

from agents.ids import new_id
from agents.models import Agent
from clawgroups.models.tasks import Task
from clawgroups.models.workspaces import Workspace

Sql = tuple[str, list[Any]]
if TYPE_CHECKING:
    _Text: TypeAlias = models.TextField[str, str]
    _Lookup: TypeAlias = models.Lookup[Any]
else:
    _Text, _Lookup = models.TextField, models.Lookup


class WordsField(_Text):
    """Words of a text as `core.remembering.indexed` writes them: one blank between two, each once."""


class Memory(models.Model):
    """A note for everybody in the workspace, or (`task`, `agent`) for whoever works on one task, or for one agent.

    The primary key is made of scope and key, so that remembering the same key again replaces the note. `actor` is
    its last writer as the server knew them, `attempt` and `message` are what it came out of. One that is struck out
    is shown to people, and offered to nobody. What stands in a note is data, never authority.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memories")
    task = models.ForeignKey(Task, models.CASCADE, null=True, blank=True, related_name="memories")
    agent = models.ForeignKey(Agent, models.CASCADE, null=True, blank=True, related_name="+")
    key = models.CharField(max_length=80)
    text = models.TextField()
    # What it is found by; kept beside the table by triggers on SQLite (migration 0019), an index on PostgreSQL.
    words = WordsField(default="", editable=False)
    actor = models.JSONField()
    kept_at = models.DateTimeField()
    attempt = models.ForeignKey("clawgroups.Attempt", models.SET_NULL, null=True, blank=True, related_name="+")
    message = models.ForeignKey("clawgroups.Message", models.SET_NULL, null=True, blank=True, related_name="+")
    # The key of its newest version: whoever changes it says which one they saw.
    version = models.UUIDField(null=True, editable=False)
    struck_at = models.DateTimeField(null=True, blank=True)
    struck_by = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["-kept_at", "id"]
        constraints = [
            models.CheckConstraint(name="memory_of_one_scope", condition=Q(task=None) | Q(agent=None)),
        ]
        indexes = [models.Index(fields=["workspace", "-kept_at"], name="memory_newest")]

    def __str__(self) -> str:
        return self.key

    @property
    def scope(self) -> str:
        """Whom it is for: "workspace", "task" or "agent"."""
        return "task" if self.task_id else "agent" if self.agent_id else "workspace"


class MemoryVersion(models.Model):
    """One thing that was done to a note: kept, edited, struck or restored; with what it said from then on, and its
    source."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    memory = models.ForeignKey(Memory, models.CASCADE, related_name="versions")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    what = models.CharField(max_length=10)
    text = models.TextField()
    actor = models.JSONField()
    at = models.DateTimeField()
    attempt = models.ForeignKey("clawgroups.Attempt", models.SET_NULL, null=True, blank=True, related_name="+")
    message = models.ForeignKey("clawgroups.Message", models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.what} {self.at:%Y-%m-%d}"


@WordsField.register_lookup
class AnyWord(_Lookup):
    """`words__any=(mark, words)`: the notes with this mark that have one of the words, or a longer one beginning so.

    The one place where the two databases differ: an index of FTS5, and one of `tsvector`.
    """

    lookup_name = "any"
    prepare_rhs = False

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """By the table that triggers keep."""
        mark, words = self.rhs
        either = " OR ".join(f'"{word}"*' for word in words)
        quote = connection.ops.quote_name
        note = f"{quote(self.lhs.alias)}.{quote('id')}"
        found = "SELECT note FROM clawgroups_memory_words WHERE clawgroups_memory_words MATCH %s"
        return f"{note} IN ({found})", [f'"{mark}" AND ({either})']

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """By the index on the words as they are: no parser of texts comes between."""
        mark, words = self.rhs
        left, given = self.process_lhs(compiler, connection)
        either = " | ".join(f"'{word}':*" for word in words)
        vector = f"array_to_tsvector(string_to_array({left}, ' '))"
        return f"{vector} @@ %s::tsquery", [*given, f"'{mark}' & ({either})"]
