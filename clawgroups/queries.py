"""Reads that services, pages and the coordinator share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from agents.models import Agent
from agents.protocol import version
from clawgroups.models import Artifact, Attempt, Command, Member, Seen, Task, Workspace
from clawgroups.planned import Planned

# A person is here when their lease was renewed within this many seconds.
SEEN = 30.0
# The agents that ship with the product and have no model; sub-agents on the installation's own model are none of them.
WITHOUT_MODEL = Q(is_builtin=True, model__startswith="none")


def newest_files(attempt: Attempt, *kinds: str) -> list[Artifact]:
    """The files of these kinds that an attempt left: of each name the newest."""
    rows = Artifact.objects.filter(attempt=attempt, kind__in=kinds).order_by("created_at", "pk")
    return list({row.name: row for row in rows}.values())


def draft_files(attempt: Attempt | UUID) -> list[Artifact]:
    """The files of an attempt's draft: of each name the newest that was not taken out."""
    rows = Artifact.objects.filter(attempt=attempt, kind="draft", removed_at=None).order_by("created_at", "pk")
    return list({row.name: row for row in rows}.values())


def late_files(attempt: Attempt) -> list[Artifact]:
    """The files that belong to a late result, also those from before its attempt was over."""
    return newest_files(attempt, "result", "late")


def asked_now(task: Task, now: datetime) -> UUID | None:
    """Who is asked for a task at this moment."""
    asked = task.brief.get("asked") or []
    waits_for_them = task.state == "ready" and task.blocked_on == "person"
    if not asked or not waits_for_them or task.not_before is None or task.not_before <= now:
        return None
    return UUID(asked[-1])


def unconfirmed_stops(agents: Iterable[UUID]) -> list[tuple[UUID, UUID, datetime]]:
    """The stops of these agents that were not confirmed: agent, workspace, and when asked.

    Only while the turn still is under way: it was not answered, and its program is not known to be gone.
    """
    return _with_workspace(_unconfirmed(list(agents)))


def unconfirmed_stops_in(workspace_id: UUID) -> list[tuple[UUID, UUID, datetime]]:
    """The same of all agents that have a seat there; the workspace of each is where it was asked to stop."""
    return _with_workspace(_unconfirmed_in(workspace_id))


def _with_workspace(rows: Iterable[tuple[UUID, UUID | None, datetime | None]]) -> list[tuple[UUID, UUID, datetime]]:
    return [(agent, workspace, at) for agent, workspace, at in rows if workspace is not None and at is not None]


def unconfirmed_by(agent: Any) -> QuerySet[Command, Command]:
    """The turns of an agent (or whatever stands for one in a query) whose stop was not confirmed."""
    return _unconfirmed_turns().filter(agent_id=agent)


def _unconfirmed_turns() -> QuerySet[Command, Command]:
    # By who was asked: a turn that a person steered is of that person's attempt.
    turns = Command.objects.filter(state="sent", method=version.SESSION_PROMPT)
    return turns.filter(attempt__stop="unconfirmed", attempt__ended_at__isnull=False)


def _stops(agents: Any) -> QuerySet[Command, Any]:
    found = _unconfirmed_turns().filter(agent_id__in=agents).order_by("attempt__ended_at")
    return found.values_list("agent_id", "attempt__workspace_id", "attempt__ended_at")


_unconfirmed: Planned[Any] = Planned(_stops)
_unconfirmed_in: Planned[Any] = Planned(lambda workspace_id: _stops(agents_in(workspace_id)))


def seats_of_agents(workspace_id: UUID) -> QuerySet[Member, Member]:
    """The seats of the agents that are in a workspace now."""
    return Member.objects.filter(workspace_id=workspace_id, left_at=None, agent__isnull=False, agent__retired_at=None)


def agents_in(workspace_id: UUID) -> QuerySet[Member, Any]:
    """Those agents, to be named by a query: 300 ids take longer to be sent than to be found."""
    return seats_of_agents(workspace_id).values("agent_id")


def given_to(run_id: UUID) -> QuerySet[Artifact, Artifact]:
    """The files that a run was given, oldest first."""
    return Artifact.objects.filter(run_id=run_id, kind="input").order_by("created_at")


inputs_of: Planned[Artifact] = Planned(given_to)
results_of: Planned[Artifact] = Planned(
    lambda task_id: Artifact.objects.filter(task=task_id, kind="result").order_by("created_at")
)
"""The files that all tries of a task delivered, oldest first."""


def unseen_rules(workspace: Workspace) -> list[Attempt]:
    """The tries that agents are at and whose last prompt told an older goal or older rules than hold now; oldest first.

    One that has had no prompt yet is not among them: its first one tells what holds by then.
    """
    if workspace.rules_version == 1:
        return []
    at_work = Attempt.objects.filter(
        workspace=workspace, state__in=["offered", "working"], ended_at=None, member__agent__isnull=False
    )
    older = at_work.filter(rules_version__gt=0, rules_version__lt=workspace.rules_version)
    return list(older.select_related("task", "member").order_by("offered_at"))


def people_here() -> QuerySet[Any, int]:
    """The users who have a page open."""
    since = timezone.now() - timedelta(seconds=SEEN)
    return Seen.objects.filter(seen_at__gte=since).values_list("user_id", flat=True)


def seats_by_rules(workspace_id: UUID) -> QuerySet[Member]:
    """The seats of agents that work by rules and so write nothing freely."""
    by_rules = Agent.objects.filter(WITHOUT_MODEL, retired_at=None)
    return Member.objects.filter(workspace_id=workspace_id, left_at=None, agent__in=by_rules)


def seats_with_words(workspace_id: UUID) -> QuerySet[Member]:
    """The seats of agents that can write freely, as far as is known: all but those that work by rules."""
    others = Agent.objects.filter(retired_at=None).exclude(WITHOUT_MODEL)
    return Member.objects.filter(workspace_id=workspace_id, left_at=None, agent__in=others)
