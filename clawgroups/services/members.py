"""Verbs on seats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from agents.ids import new_id
from agents.models import Agent
from clawgroups import bus, commit
from clawgroups.core.actors import Actor, Role
from clawgroups.core.changes import Change, Fact, Outcome, Update, Write
from clawgroups.core.coordination_events import MemberProfileSet
from clawgroups.core.errors import Conflict, Forbidden, Invalid, NotFound
from clawgroups.core.events import MemberJoined, MemberLeft, MemberRoleSet
from clawgroups.core.hours import read_hours
from clawgroups.models import Attempt, Member
from clawgroups.permissions import get_member, require, seat_of
from clawgroups.services.agents import clean_skills
from clawgroups.services.workspaces import seat

MAX_CAPACITY = 20
PROFILE = ("skills", "hours", "capacity")
GIVEABLE = (Role.ADMIN, Role.MEMBER, Role.GUEST)


def add_person(
    workspace_id: UUID, *, username: str, role: str = "member", actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Give a person a seat. Raises `Invalid` for an unknown name or role."""
    expects = require(actor, "member.add", workspace_id)
    chosen = _role(role)
    user = User.objects.filter(username=username.strip().lstrip("@"), is_active=True).first()
    if user is None:
        raise Invalid(f"Nobody here is called “{username.strip()}”. Ask them for their user name.", field="username")
    name = user.get_full_name() or user.get_username()
    known = Member.objects.filter(workspace_id=workspace_id, user=user).first()
    pk = known.pk if known else new_id()
    fact = Fact(workspace_id, MemberJoined(member_id=pk, name=name, role=chosen, user_id=user.pk))
    now = timezone.now()
    write: Write
    if known is not None:
        write = _return(known, name, chosen, now)
    else:
        write = seat(pk, workspace_id, user_id=user.pk, name=name, handle=user.get_username(), role=chosen, now=now)
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects,
            (write,),
            (fact,),
            operation,
            verb="member.add",
            answer={"id": str(pk)},
        )
    )


def add_agent(workspace_id: UUID, *, agent_id: UUID, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Give an agent a seat. Its owner may bring it along; others need the right to add members."""
    # In this order, so that nobody learns from the answer which workspaces and agents there are.
    require(actor, "workspace.view", workspace_id)
    agent = Agent.objects.filter(pk=agent_id, retired_at=None).first()
    own = agent is not None and (agent.owner_id == actor.user_id or agent.is_builtin)
    met = Member.objects.filter(agent=agent_id, left_at=None, workspace__members__user=actor.user_id)
    if agent is None or not (own or met.exists()):
        raise NotFound("There is no such agent.")
    expects = require(actor, "member.add_agent" if own else "member.add", workspace_id)
    known = Member.objects.filter(workspace_id=workspace_id, agent=agent).first()
    pk = known.pk if known else new_id()
    fact = Fact(workspace_id, MemberJoined(member_id=pk, name=agent.name, role=Role.AGENT, agent_id=agent.pk))
    now = timezone.now()
    write: Write
    if known is not None:
        write = _return(known, agent.name, Role.AGENT, now)
    else:
        write = seat(
            pk,
            workspace_id,
            agent_id=agent.pk,
            name=agent.name,
            handle=agent.handle,
            role=Role.AGENT,
            now=now,
        )
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects,
            (write,),
            (fact,),
            operation,
            verb="member.add",
            answer={"id": str(pk)},
        )
    )


def _return(known: Member, name: str, role: Role, now: object) -> Update:
    if known.left_at is None:
        raise Conflict(f"{name} is a member already.")
    values = {
        "left_at": None,
        "role": role.value,
        "name": name,
        "joined_at": now,
        "auth_version": known.auth_version + 1,
    }
    return Update("clawgroups.Member", known.pk, values, {"auth_version": known.auth_version})


def _role(role: str) -> Role:
    if role not in {r.value for r in GIVEABLE}:
        raise Invalid("A person can be admin, member or guest.", field="role")
    return Role(role)


def set_role(member_id: UUID, *, role: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Change a person's role. The owner's role is not given away here."""
    member = get_member(actor, member_id, "member.set_role")
    expects = require(actor, "member.set_role", member.workspace_id)
    chosen = _role(role)
    _guard(member, actor)
    values = {"role": chosen.value, "auth_version": member.auth_version + 1}
    return commit.submit(
        Change(
            actor,
            member.workspace_id,
            expects,
            (
                Update(
                    "clawgroups.Member",
                    member.pk,
                    values,
                    {"auth_version": member.auth_version, "left_at": None},
                ),
            ),
            (Fact(member.workspace_id, MemberRoleSet(member_id=member.pk, role=chosen)),),
            operation,
            verb="member.set_role",
            answer={"id": str(member.pk), "role": chosen.value},
        )
    )


def remove_member(member_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Take a seat away, or leave. Raises `Conflict` while the member still has work in hand."""
    member = Member.objects.filter(pk=member_id, left_at=None).first()
    if member is None:
        raise NotFound("There is no such member.")
    mine = seat_of(actor, member.workspace_id)
    leaving = mine is not None and mine.pk == member.pk
    expects = require(actor, "workspace.view" if leaving else "member.remove", member.workspace_id)
    _guard(member, actor)
    if Attempt.objects.filter(member=member, state__in=["offered", "working"]).exists():
        raise Conflict(f"{member.name} has work in hand. Take it over or reassign it first.", code="has_work")
    values = {"left_at": timezone.now(), "auth_version": member.auth_version + 1}
    wakes = (bus.agent_topic(member.agent_id),) if member.agent_id else ()
    return commit.submit(
        Change(
            actor,
            member.workspace_id,
            expects,
            (
                Update(
                    "clawgroups.Member",
                    member.pk,
                    values,
                    {"auth_version": member.auth_version, "left_at": None},
                ),
            ),
            (Fact(member.workspace_id, MemberLeft(member_id=member.pk)),),
            operation,
            verb="member.remove",
            answer={"id": str(member.pk)},
            wakes=wakes,
        )
    )


def _guard(member: Member, actor: Actor) -> None:
    if member.role == Role.OWNER:
        raise Forbidden("The owner keeps the workspace; transfer it first.")


def set_profile(
    workspace_id: UUID,
    *,
    skills: Sequence[Mapping[str, Any]] | None = None,
    hours: Mapping[str, Any] | None = None,
    capacity: int | None = None,
    actor: Actor,
    operation: str = "",
) -> Future[Outcome]:
    """Say what one may be asked for in a workspace: skills with levels, hours ({}: at any time), how many at once.

    What is None stays as it is. With a capacity of 0 one is not asked. Raises `Invalid` saying what is wrong.
    """
    expects = require(actor, "member.set_profile", workspace_id)
    seat = seat_of(actor, workspace_id)
    if seat is None or seat.user_id is None:
        raise Forbidden("Only a person can be asked; an agent has its profile.")
    values: dict[str, Any] = {}
    if skills is not None:
        values["skills"] = {skill["name"]: skill["level"] for skill in clean_skills(skills)}
    if hours is not None:
        found = read_hours(hours)
        values["hours"] = {} if found is None else found.as_json()
    if capacity is not None:
        if isinstance(capacity, bool) or not 0 <= capacity <= MAX_CAPACITY:
            raise Invalid(f"From 0 (not asked) to {MAX_CAPACITY} tasks at once.", field="capacity")
        values["capacity"] = capacity
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects,
            (Update("clawgroups.Member", seat.pk, values, {"left_at": None}),),
            (Fact(workspace_id, MemberProfileSet(member_id=seat.pk)),),
            operation,
            verb="member.set_profile",
            answer={"id": str(seat.pk), **{name: values.get(name, getattr(seat, name)) for name in PROFILE}},
        )
    )
