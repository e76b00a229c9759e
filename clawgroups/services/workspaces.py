"""Verbs on workspaces."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from agents.ids import new_id
from agents.models import Agent
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind, Role
from clawgroups.core.changes import Change, Count, Fact, Insert, Outcome, Update, Write
from clawgroups.core.errors import Forbidden, Invalid
from clawgroups.core.events import GoalSet, MemberJoined, RulesSet, TimersSet, WorkspaceCreated, WorkspaceRenamed
from clawgroups.core.timer_settings import clean_timers
from clawgroups.models import Workspace
from clawgroups.permissions import require
from clawgroups.services import installation
from clawgroups.services.critical_rules import critical_rules

# What each prompt tells of the workspace: other words are another version of it.
TOLD = frozenset({"goal", "rules"})


def clean_text(text: str, *, what: str, limit: int, required: bool = False) -> str:
    """The text without NUL and outer blanks. Raises `Invalid` when empty (if required) or too long."""
    cleaned = text.replace("\x00", "").strip()
    if required and not cleaned:
        raise Invalid(f"{what} is empty. Write at least a word.", field=what.lower(), code="empty")
    if len(cleaned) > limit:
        raise Invalid(
            f"{what} is {len(cleaned)} characters long; at most {limit} fit.",
            field=what.lower(),
            code="too_long",
        )
    return cleaned


def clean_name(text: str, *, limit: int) -> str:
    """A name of one line without markup. Raises `Invalid`."""
    name = clean_text(text, what="Name", limit=limit, required=True)
    if any(sign in "<>" or unicodedata.category(sign) == "Cc" for sign in name):
        raise Invalid(
            "Name holds markup or control characters. Write it as plain words on one line, without “<” and “>”.",
            field="name",
            code="markup",
        )
    return name


def create_workspace(
    *, name: str, goal: str = "", rules: str = "", actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Open a workspace; the actor becomes its owner, the built-in agents take their seats."""
    if actor.kind is not ActorKind.PERSON or actor.user_id is None:
        raise Forbidden("Only a person can open a workspace.")
    name = clean_text(name, what="Name", limit=120, required=True)
    goal = clean_text(goal, what="Goal", limit=20_000)
    rules = clean_text(rules, what="Rules", limit=20_000)
    own = Workspace.objects.filter(created_by=actor.user_id)
    installation.require_room("workspaces_each", own, "workspaces of one person")
    now, pk, owner = timezone.now(), new_id(), new_id()
    user = User.objects.get(pk=actor.user_id)
    writes: list[Insert] = [
        Insert(
            "clawgroups.Workspace",
            pk,
            {"name": name, "goal": goal, "rules": rules, "created_by_id": user.pk, "created_at": now},
        ),
        seat(owner, pk, user_id=user.pk, name=actor.name, handle=user.get_username(), role=Role.OWNER, now=now),
        *critical_rules(pk, now),
    ]
    facts = [
        Fact(pk, WorkspaceCreated(name=name)),
        Fact(pk, MemberJoined(member_id=owner, name=actor.name, role=Role.OWNER, user_id=user.pk)),
    ]
    for agent in Agent.objects.filter(is_builtin=True, retired_at=None).order_by("created_at"):
        member = new_id()
        writes.append(
            seat(member, pk, agent_id=agent.pk, name=agent.name, handle=agent.handle, role=Role.AGENT, now=now)
        )
        facts.append(Fact(pk, MemberJoined(member_id=member, name=agent.name, role=Role.AGENT, agent_id=agent.pk)))
    return commit.submit(
        Change(
            actor,
            writes=tuple(writes),
            facts=tuple(facts),
            operation=operation,
            verb="workspace.create",
            answer={"id": str(pk), "name": name},
        )
    )


def seat(
    pk: UUID,
    workspace_id: UUID,
    *,
    name: str,
    handle: str,
    role: Role,
    now: object,
    user_id: int | None = None,
    agent_id: UUID | None = None,
) -> Insert:
    """A new member row."""
    values = {
        "workspace_id": workspace_id,
        "user_id": user_id,
        "agent_id": agent_id,
        "name": name,
        "handle": handle,
        "role": role.value,
        "joined_at": now,
    }
    return Insert("clawgroups.Member", pk, values)


def rename_workspace(workspace_id: UUID, *, name: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Give a workspace another name."""
    name = clean_text(name, what="Name", limit=120, required=True)
    return _set(workspace_id, "workspace.rename", {"name": name}, WorkspaceRenamed(name=name), actor, operation)


def set_goal(workspace_id: UUID, *, goal: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Replace the goal that everybody works toward."""
    goal = clean_text(goal, what="Goal", limit=20_000)
    return _set(workspace_id, "workspace.set_goal", {"goal": goal}, GoalSet(goal=goal), actor, operation)


def set_rules(workspace_id: UUID, *, rules: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Replace the standing rules that every agent reads at its next turn."""
    rules = clean_text(rules, what="Rules", limit=20_000)
    return _set(workspace_id, "workspace.set_rules", {"rules": rules}, RulesSet(rules=rules), actor, operation)


def set_timers(workspace_id: UUID, *, timers: Mapping[str, Any], actor: Actor, operation: str = "") -> Future[Outcome]:
    """Replace the workspace's own deadlines (seconds by name); those not named have their default.

    What has begun keeps the absolute deadline it was given. Raises `Invalid`, see `clean_timers`.
    """
    require(actor, "workspace.set_timers", workspace_id)
    own = clean_timers(timers)
    return _set(workspace_id, "workspace.set_timers", {"timers": own}, TimersSet(timers=own), actor, operation)


def _set(
    workspace_id: UUID,
    action: str,
    values: Mapping[str, Any],
    event: WorkspaceRenamed | GoalSet | RulesSet | TimersSet,
    actor: Actor,
    operation: str,
) -> Future[Outcome]:
    expects = require(actor, action, workspace_id)
    writes: list[Write] = [Update("clawgroups.Workspace", workspace_id, values)]
    before = Workspace.objects.filter(pk=workspace_id).values(*values).get()
    if before != values and values.keys() & TOLD:
        writes.append(Count("clawgroups.Workspace", workspace_id, "rules_version", 1))
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects=expects,
            writes=tuple(writes),
            facts=(Fact(workspace_id, event),),
            operation=operation,
            verb=action,
            answer={"id": str(workspace_id), **values},
        )
    )
