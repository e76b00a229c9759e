"""The action table: who may do what, which address asks for which action. Loading is authorising.

`require` answers "may this actor, in this workspace"; the `get_*` loaders hand a row out only to
those who may. A stranger gets the same `NotFound` for a foreign row as for a missing one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db import models
from django.db.models import F, QuerySet

from agents.models import Agent
from clawgroups.core.actors import Actor, ActorKind, Role
from clawgroups.core.changes import Expect
from clawgroups.core.errors import Conflict, Forbidden, NotFound
from clawgroups.core.scopes import Scope, scope_of
from clawgroups.keyed import row_of
from clawgroups.models import (
    Approval,
    Artifact,
    Attempt,
    ControlRequest,
    Member,
    Memory,
    Message,
    MessageFile,
    Run,
    Task,
    Workspace,
)
from clawgroups.planned import Planned

EVERYONE = frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER, Role.GUEST, Role.AGENT})
PEOPLE = frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER, Role.GUEST})
TEAM = frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER})
WORKERS = TEAM | {Role.AGENT}
ADMINS = frozenset({Role.OWNER, Role.ADMIN})
NOBODY: frozenset[Role] = frozenset()
# Comes along with a task where its attempt ends, since that is on the agent's record.
ENDING = ("attempt__member", "attempt__member__agent")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done. `roles` in the workspace; `coordinator` and `system` besides."""

    name: str
    description: str
    roles: frozenset[Role] = NOBODY
    coordinator: bool = False
    system: bool = False


ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        Action("workspace.view", "See a workspace and its people", EVERYONE, coordinator=True),
        Action("workspace.rename", "Rename a workspace", ADMINS),
        Action("workspace.set_goal", "Set the goal", TEAM),
        Action("workspace.set_rules", "Set the standing rules", ADMINS),
        Action("workspace.set_timers", "Change deadlines", ADMINS),
        Action("workspace.transfer", "Give the workspace to another member", frozenset({Role.OWNER})),
        Action("workspace.close", "Close a workspace, and open it again", frozenset({Role.OWNER})),
        Action("workspace.set_coordination", "Change how the coordinator works", ADMINS),
        Action("member.add", "Add a person or an agent", ADMINS),
        Action("member.add_agent", "Bring one's own agent along", TEAM),
        Action("member.set_role", "Change a person's role", ADMINS),
        Action("member.remove", "Remove a member", ADMINS),
        Action("member.mute", "Have a member write no messages, and let it", ADMINS),
        Action("member.invite", "Invite people by a link", ADMINS),
        Action("member.set_profile", "Say which tasks one may be asked for", TEAM),
        Action("message.post", "Say something", EVERYONE, coordinator=True, system=True),
        Action("message.edit", "Change what one said", EVERYONE),
        Action("message.remove", "Take back what one said; admins, what others said", EVERYONE),
        Action("message.react", "Put a sign on a message", EVERYONE),
        Action("message.mark_read", "Remember how far one has read", PEOPLE),
        Action("memory.view", "See what is remembered", EVERYONE, coordinator=True),
        Action("memory.keep", "Have something remembered", WORKERS),
        Action("memory.edit", "Change and strike out what is remembered", TEAM),
        Action("memory.forget", "Remove for good what was remembered and struck out", ADMINS),
        Action("run.view", "See runs", EVERYONE, coordinator=True),
        Action("run.share", "Show a run to people without an account, by a link", ADMINS),
        Action("run.draft", "Give a goal", TEAM),
        Action("run.plan", "Make or replace a plan", TEAM, coordinator=True),
        Action("run.start", "Start a proposed run", TEAM, coordinator=True),
        Action("run.consult", "Ask the model about a run", NOBODY, coordinator=True, system=True),
        Action("run.answer", "Answer what the coordinator asks", TEAM),
        Action("run.edit_plan", "Change a plan", TEAM),
        Action("run.replan", "Propose a change of a running plan", TEAM, coordinator=True),
        Action("run.view_calls", "See what the model was asked", TEAM),
        Action("run.set_budget", "Set a run's limits", TEAM),
        Action("run.pause", "Pause and resume a run", TEAM),
        Action("run.cancel", "Cancel a run", TEAM, system=True),
        Action("run.consolidate", "Make the deliverable of a run", NOBODY, coordinator=True),
        Action("task.view", "See tasks and their threads", EVERYONE, coordinator=True),
        Action("task.assign", "Give a task to a member", TEAM, coordinator=True),
        Action("task.choose", "Choose another member for a task than was proposed", TEAM),
        Action("task.release", "Take a task from its assignee", TEAM, coordinator=True, system=True),
        Action("task.stick", "Say that nobody can go on", NOBODY, coordinator=True, system=True),
        Action("task.take_over", "Take a task over in the middle of a turn", TEAM),
        Action("task.hold", "Work on a task as its holder", TEAM),
        Action("task.review", "Accept or return a result", TEAM, coordinator=True),
        Action("task.adopt", "Take up a late result", TEAM, coordinator=True),
        Action("task.regenerate", "Write a task anew after its last try", TEAM, coordinator=True),
        Action("task.cancel", "Cancel a task", TEAM),
        Action("task.steer", "Prompt the agent's session while one holds its task", TEAM),
        Action("task.pause", "Pause a task, and let it go on", TEAM),
        Action("task.stop", "Stop the agent that is at a task", TEAM),
        Action("task.delegate", "Give a task that is asked of one to somebody else", TEAM),
        Action("task.watch", "Be seen at a task's page", PEOPLE),
        Action("control.ask", "Ask the holder of a task for it", TEAM),
        Action("control.answer", "Answer somebody who asks for a task that one holds", TEAM),
        Action("run.stop", "Stop every agent of a run", TEAM),
        Action("workspace.stop", "Stop every agent of a workspace", TEAM),
        Action("session.set_option", "Choose the model or mode of an agent's session", TEAM),
        Action("attempt.report", "Say how far one's work is", frozenset({Role.AGENT})),
        Action("approval.ask", "Ask a person", frozenset({Role.AGENT})),
        Action("approval.view", "See what an agent asks", TEAM),
        Action("approval.decide", "Answer what an agent asks", TEAM),
        Action("rule.view", "See the rules that answer agents", TEAM),
        Action("rule.keep", "Have one's answer hold for this agent for a time", TEAM),
        Action("rule.set", "Make and revoke rules, and name what is critical", ADMINS),
        Action("artifact.view", "Download files", EVERYONE, coordinator=True),
        Action("artifact.pin", "Say which revision of a file is the final one", TEAM),
        Action("audit.view", "Read the audit trail", ADMINS),
        Action("journal.view", "Read the journal", EVERYONE, coordinator=True),
    )
}

# Actions of a signed-in person outside of any workspace, and doors that check by themselves.
SIGNED_IN = "signed_in"
STAFF = "staff"
PUBLIC = "public"
AGENT_KEY = "agent_key"
SESSION_KEY = "session_key"
AGENT_OWNER = "agent_owner"
GATES = frozenset({SIGNED_IN, STAFF, PUBLIC, AGENT_KEY, SESSION_KEY, AGENT_OWNER})

# Which event types a guest sees; everything else is shown to all members.
HIDDEN_FROM_GUESTS = frozenset(
    {
        "approval.requested",
        "approval.escalated",
        "approval.voted",
        "approval.decided",
        "approval.expired",
        "approval.voided",
        "attempt.overstepped",
        "attempt.overstep_seen",
        "rule.made",
        "rule.revoked",
        "invitation.made",
        "invitation.revoked",
        "run.shared",
        "run.unshared",
    }
)


# What a member that is muted does not do; all else of its role it does.
SPEAKING = frozenset({"message.post", "message.edit", "message.react"})


# What is done where nothing is done any more: reading, and opening it again.
WHERE_CLOSED = frozenset({"workspace.close", "message.mark_read", "task.watch", "run.view_calls"})


def may_see_event(role: str, type_: str) -> bool:
    """Whether a member of this role is sent entries of this type."""
    return role != Role.GUEST or type_ not in HIDDEN_FROM_GUESTS


# Which words of an attempt's transcript are its team's alone: those nobody said to anybody, and those that tell what
# an agent asked on its own machine.
OF_THE_TEAM = frozenset({"thought", "machine"})


def may_see_words(role: str, kind: str) -> bool:
    """Whether a member of this role is shown words of this kind, on a page or as they come."""
    return kind not in OF_THE_TEAM or role in ACTIONS["approval.view"].roles


_kept: ContextVar[dict[tuple[Actor, UUID], Member | None] | None] = ContextVar("seats", default=None)


@contextmanager
def seats_kept() -> Iterator[None]:
    """Within it each seat is read once, for whoever carries out many verbs together.

    A right that is lost meanwhile is still lost: whatever is written expects the seat as it was read.
    """
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def seat_of(actor: Actor, workspace_id: UUID) -> Member | None:
    """The seat whose rights the actor uses here: its own, or of the person it acts for."""
    kept = _kept.get()
    if kept is None:
        return _seat_of(actor, workspace_id)
    key = (actor, workspace_id)
    if key not in kept:
        kept[key] = _seat_of(actor, workspace_id)
    return kept[key]


def _seat_of(actor: Actor, workspace_id: UUID) -> Member | None:
    if actor.kind is ActorKind.AGENT:
        return _agents_seat.first(workspace_id, actor.agent_id) if actor.agent_id is not None else None
    user_id = actor.on_behalf_of if actor.kind is ActorKind.COORDINATOR else actor.user_id
    return _persons_seat.first(workspace_id, user_id) if user_id is not None else None


def _seats(workspace_id: UUID) -> QuerySet[Member]:
    return Member.objects.filter(workspace_id=workspace_id, left_at=None).annotate(closed=F("workspace__closed_at"))


# The one seat that there can be, for all that anybody does.
_agents_seat: Planned[Member] = Planned(
    lambda workspace_id, agent_id: _seats(workspace_id).filter(agent=agent_id, agent__retired_at=None).order_by()[:1]
)
_persons_seat: Planned[Member] = Planned(
    lambda workspace_id, user_id: _seats(workspace_id).filter(user_id=user_id, user__is_active=True).order_by()[:1]
)


def require(actor: Actor, action_name: str, workspace_id: UUID) -> tuple[Expect, ...]:
    """What a change must expect, so that the right still holds when it is committed.

    Raises `NotFound` for a stranger, `Forbidden` where the role lacks the action.
    """
    action = ACTIONS[action_name]
    if actor.kind is ActorKind.SYSTEM:
        if not action.system:
            raise Forbidden(f"The system itself may not: {action.description}.")
        return ()
    seat = seat_of(actor, workspace_id)
    if seat is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    if actor.kind is ActorKind.COORDINATOR:
        allowed = action.coordinator and (seat.role in action.roles or seat.role in TEAM)
    else:
        allowed = seat.role in action.roles
    if not allowed:
        raise Forbidden(
            f"Your role here is {seat.role}; this needs another: {action.description}. {_whom_to_ask(workspace_id)}",
            action=action_name,
            role=seat.role,
        )
    require_scope(actor, scope_of(action_name))
    if is_shut(seat, action_name):
        raise Conflict(
            "This workspace is closed: it is read, and nothing is done in it. Its owner can open it again.",
            code="workspace_closed",
            action=action_name,
        )
    if actor.kind is not ActorKind.COORDINATOR and is_silenced(seat, action_name):
        raise Forbidden(
            f"You are muted here: you read along, and write no messages. {_whom_to_ask(workspace_id)}",
            code="muted",
            action=action_name,
        )
    return (Expect("clawgroups.Member", seat.pk, {"auth_version": seat.auth_version, "left_at": None}),)


def require_scope(actor: Actor, scope: Scope) -> None:
    """Raises `Forbidden`, which says the scope, for whoever came in by a token that lacks it."""
    if actor.scopes and scope not in actor.scopes:
        held = [one.value for one in Scope if one in actor.scopes]
        raise Forbidden(
            f"This token lacks the scope “{scope}”; it has: {', '.join(held)}. Make a token that has it.",
            code="scope_missing",
            scope=scope.value,
            held=held,
        )


def is_shut(seat: Member, action_name: str) -> bool:
    """Whether a seat, as `seat_of` found it, lacks an action of its role because the workspace is closed."""
    if action_name.endswith(".view") or action_name in WHERE_CLOSED:
        return False
    return getattr(seat, "closed", None) is not None


def is_silenced(seat: Member, action_name: str) -> bool:
    """Whether a seat lacks an action of its role because it is muted."""
    return seat.muted_at is not None and action_name in SPEAKING


def _whom_to_ask(workspace_id: UUID) -> str:
    """Who could give a seat another role, or do it."""
    admins = Member.objects.filter(workspace_id=workspace_id, left_at=None, user__is_active=True, role__in=ADMINS)
    names = list(admins.order_by("joined_at").values_list("name", flat=True)[:3])
    return f"Ask {' or '.join(names)}." if names else ""


M = TypeVar("M", bound=models.Model)


def _get(model: type[M], actor: Actor, pk: Any, action: str, *related: str) -> M:
    row = row_of(model, pk, *related)
    if row is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    workspace_id = row.pk if isinstance(row, Workspace) else row.workspace_id  # type: ignore[attr-defined]
    require(actor, action, workspace_id)
    return row


def get_workspace(actor: Actor, pk: UUID, action: str) -> Workspace:
    """The workspace, if the actor may do `action` in it."""
    return _get(Workspace, actor, pk, action)


def get_run(actor: Actor, pk: UUID, action: str) -> Run:
    """The run, if the actor may do `action` to it."""
    return _get(Run, actor, pk, action, "workspace")


def get_task(actor: Actor, pk: UUID, action: str, *more: str) -> Task:
    """The task, if the actor may do `action` to it. `more`: what else comes along, as in `keyed.row_of`."""
    task = _get(Task, actor, pk, action, "run", "workspace", "assignee", "holder", "attempt", *more)
    task.run.workspace = task.workspace
    return task


def get_attempt(actor: Actor, pk: UUID, action: str) -> Attempt:
    """The attempt, if the actor may do `action` to it."""
    return _get(Attempt, actor, pk, action, "task", "member")


def get_approval(actor: Actor, pk: UUID, action: str) -> Approval:
    """The approval, if the actor may do `action` to it."""
    return _get(Approval, actor, pk, action, "task", "attempt", "session")


def get_request(actor: Actor, pk: UUID, action: str) -> ControlRequest:
    """The request for a held task, if the actor may do `action` to it."""
    return _get(ControlRequest, actor, pk, action, "member", "holder")


def get_artifact(actor: Actor, pk: UUID, action: str) -> Artifact:
    """The file's row, if the actor may do `action` to it."""
    return _get(Artifact, actor, pk, action, "run", "task")


def get_memory(actor: Actor, pk: UUID, action: str) -> Memory:
    """The note, if the actor may do `action` to it."""
    return _get(Memory, actor, pk, action)


def get_message(actor: Actor, pk: UUID, action: str) -> Message:
    """The message, if the actor may do `action` to it."""
    return _get(Message, actor, pk, action, "task", "member")


def get_message_file(actor: Actor, pk: UUID, action: str) -> MessageFile:
    """The file that came with a message, if the actor may do `action` to it."""
    return _get(MessageFile, actor, pk, action)


def get_member(actor: Actor, pk: UUID, action: str) -> Member:
    """The seat, if the actor may do `action` to it."""
    return _get(Member, actor, pk, action, "workspace", "agent", "user")


def get_agent(actor: Actor, pk: UUID) -> Agent:
    """An agent, for its owner (or staff). Raises `NotFound` for everybody else."""
    agent = Agent.objects.select_related("owner").filter(pk=pk).first()
    if agent is None or not (actor.is_staff or (actor.user_id is not None and agent.owner_id == actor.user_id)):
        raise NotFound("There is no such agent, or it is not yours.")
    return agent
