"""Verbs on seats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from agents.ids import new_id
from agents.models import Agent
from clawgroups import bus, commit
from clawgroups.core.actors import Actor, Role
from clawgroups.core.changes import Change, Fact, Insert, Outcome, Update, Write
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
    chosen = given_role(role)
    user = User.objects.filter(username=username.strip().lstrip("@"), is_active=True).first()
    if user is None:
        raise Invalid(f"Nobody here is called “{username.strip()}”. Ask them for their user name.", field="username")
    write, fact = seating(workspace_id, user.pk, chosen, timezone.now())
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects,
            (write,),
            (fact,),
            operation,
            verb="member.add",
            answer={"id": str(write.pk)},
        )
    )


def seating(
    workspace_id: UUID, user_id: int, role: Role, now: datetime, *, invitation_id: UUID | None = None
) -> tuple[Insert | Update, Fact]:
    """A person takes a seat, or the one they left: its row and its fact. Raises `Conflict` for who has one.

    Whoever was muted when they left is muted still.
    """
    user = User.objects.get(pk=user_id)
    name, handle = (user.get_full_name() or user.get_username())[:80], user.get_username()
    known = Member.objects.filter(workspace_id=workspace_id, user=user).first()
    write: Insert | Update
    if known is not None:
        write = _return(known, name, role, now)
    else:
        write = seat(new_id(), workspace_id, user_id=user.pk, name=name, handle=handle, role=role, now=now)
    joined = MemberJoined(member_id=write.pk, name=name, role=role, user_id=user.pk, invitation_id=invitation_id)
    return write, Fact(workspace_id, joined)


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


def given_role(role: str) -> Role:
    """A role that a person can be given. Raises `Invalid`."""
    if role not in {r.value for r in GIVEABLE}:
        raise Invalid("A person can be admin, member or guest.", field="role")
    return Role(role)


def set_role(member_id: UUID, *, role: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Change a person's role. The owner's role is not given away here."""
    member = get_member(actor, member_id, "member.set_role")
    expects = require(actor, "member.set_role", member.workspace_id)
    chosen = given_role(role)
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
    """Take a seat away, or leave; a person's agents go with them, so that nobody reads on by one.

    Raises `Conflict` while any of them still has work in hand.
    """
    member = Member.objects.filter(pk=member_id, left_at=None).first()
    if member is None:
        raise NotFound("There is no such member.")
    mine = seat_of(actor, member.workspace_id)
    leaving = mine is not None and mine.pk == member.pk
    expects = require(actor, "workspace.view" if leaving else "member.remove", member.workspace_id)
    _guard(member, actor)
    going = [member, *agents_of(member)]
    busy = Attempt.objects.filter(member__in=going, state__in=["offered", "working"]).select_related("member").first()
    if busy is not None:
        raise Conflict(f"{busy.member.name} has work in hand. Take it over or reassign it first.", code="has_work")
    now = timezone.now()
    return commit.submit(
        Change(
            actor,
            member.workspace_id,
            expects,
            tuple(_gone(one, now) for one in going),
            tuple(Fact(one.workspace_id, MemberLeft(member_id=one.pk)) for one in going),
            operation,
            verb="member.remove",
            answer={"id": str(member.pk)},
            wakes=tuple(bus.agent_topic(one.agent_id) for one in going if one.agent_id is not None),
        )
    )


def agents_of(member: Member) -> list[Member]:
    """The seats, in the same workspace, of the agents that a person owns; not of those that ship with the product."""
    if member.user_id is None:
        return []
    owned = Member.objects.filter(workspace=member.workspace_id, left_at=None, agent__owner=member.user_id)
    return list(owned.filter(agent__is_builtin=False).select_related("agent"))


def _gone(member: Member, now: datetime) -> Update:
    values = {"left_at": now, "auth_version": member.auth_version + 1}
    return Update("clawgroups.Member", member.pk, values, {"auth_version": member.auth_version, "left_at": None})


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
