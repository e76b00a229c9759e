"""Verbs on agents. `agents.models` knows no workspace; here each verb is journaled where it sits."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from agents import tokens
from agents.ids import new_id
from agents.models import Agent, AgentKey, Skill
from agents.protocol.card import MOST_SESSIONS
from agents.tokens import MintedKey
from clawgroups import bus, commit
from clawgroups.core.actors import Actor, ActorKind, Role
from clawgroups.core.audit import Audit
from clawgroups.core.changes import Change, Delete, Expect, Fact, Insert, Outcome, Update, Write
from clawgroups.core.errors import Forbidden, Invalid, NotFound
from clawgroups.core.events import AgentProfileSet, AgentRetired, Event, MemberJoined
from clawgroups.models import Member
from clawgroups.permissions import get_agent, require
from clawgroups.services import installation
from clawgroups.services.workspaces import clean_name, clean_text, seat

MAX_SKILLS = 40
MAX_DAYS = 3650
MAX_RESETS = 100
MAX_TEXTS = 20  # tags or examples of a skill


def mint_key() -> MintedKey:
    """A fresh agent key, to be handed to `register_agent` or `add_key` and shown once."""
    return tokens.mint(tokens.AGENT)


def connect_command(secret: str, base_url: str, command: str = "YOUR-AGENT acp") -> str:
    """The line the agent's owner copies. The key goes in the environment, never in a URL."""
    return f"CLAWGROUPS_KEY={shlex.quote(secret)} clawgroups connect {shlex.quote(base_url)} -- {command}"


def slug(text: str) -> str:
    """A short handle or skill name out of any text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")


def clean_skills(skills: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Skill lines as {name, title, description, level, tags, examples}. Raises `Invalid` naming the line."""
    if len(skills) > MAX_SKILLS:
        raise Invalid(f"At most {MAX_SKILLS} skills.", field="skills")
    cleaned: dict[str, dict[str, Any]] = {}
    for number, skill in enumerate(skills, 1):
        name = slug(str(skill.get("name", "")))
        if not name:
            raise Invalid(f"Skill {number} needs a name of letters or digits.", field="skills")
        level = skill.get("level", 3)
        if not isinstance(level, int) or isinstance(level, bool) or not 1 <= level <= 5:
            raise Invalid(f"Skill {number} ({name}) needs a level from 1 to 5.", field="skills")
        where = f"Skill {number} ({name})"
        cleaned[name] = {
            "name": name,
            "title": _fit(skill.get("title", ""), f"{where}: what it is shown as", 80),
            "description": _fit(skill.get("description", ""), f"{where}: its description", 300),
            "level": level,
            "tags": _fits(skill.get("tags", ()), f"{where}: a tag", 60),
            "examples": _fits(skill.get("examples", ()), f"{where}: an example", 500),
        }
    return list(cleaned.values())


def _fit(text: Any, what: str, limit: int) -> str:
    cleaned = str(text or "").replace("\x00", "").strip()
    if len(cleaned) > limit:
        raise Invalid(
            f"{what} is {len(cleaned)} characters long; at most {limit} fit.", field="skills", code="too_long"
        )
    return cleaned


def _fits(texts: Any, what: str, limit: int) -> list[str]:
    given = [text for one in texts or () if (text := _fit(one, what, limit))]
    if len(given) > MAX_TEXTS:
        raise Invalid(f"{what} too many: at most {MAX_TEXTS} fit.", field="skills")
    return list(dict.fromkeys(given))


def register_agent(
    *,
    name: str,
    actor: Actor,
    key: MintedKey | None = None,
    handle: str = "",
    description: str = "",
    version: str = "",
    skills: Sequence[Mapping[str, Any]] = (),
    toolkits: Sequence[str] = (),
    model: str = "",
    device: str = "",
    cwd: str = "",
    max_sessions: int = 1,
    workspace_id: UUID | None = None,
    is_builtin: bool = False,
    operation: str = "",
) -> Future[Outcome]:
    """Register an agent of the actor's and seat it in `workspace_id` if given; without `key` its machine brings one."""
    if actor.kind is not ActorKind.PERSON or actor.user_id is None:
        raise Forbidden("Only a person can register an agent.")
    if not is_builtin:
        own = Agent.objects.filter(owner=actor.user_id, retired_at=None, is_builtin=False)
        installation.require_room("agents_each", own, "agents of one person")
    name = clean_name(name, limit=80)
    handle = _free_handle(handle, name)
    if not 1 <= max_sessions <= MOST_SESSIONS:
        raise Invalid(f"An agent holds 1 to {MOST_SESSIONS} sessions at once.", field="max_sessions")
    profile = clean_skills(skills)
    now, pk = timezone.now(), new_id()
    values = {
        "owner_id": actor.user_id,
        "name": name,
        "handle": handle,
        "description": clean_text(description, what="Description", limit=4000),
        "version": clean_text(version, what="Version", limit=80),
        "toolkits": [clean_text(str(t), what="Toolkit", limit=80) for t in toolkits][:40],
        "model": clean_text(model, what="Model", limit=120),
        "device": clean_text(device, what="Device", limit=120),
        "cwd": clean_text(cwd, what="Work folder", limit=500),
        "max_sessions": max_sessions,
        "is_builtin": is_builtin,
        "created_at": now,
    }
    writes: list[Write] = [Insert("agents.Agent", pk, values)]
    writes += [key_row(pk, key, now)] if key is not None else []
    writes += [Insert("agents.Skill", new_id(), {"agent_id": pk, **skill}) for skill in profile]
    expects: tuple[Expect, ...] = ()
    facts: list[Fact] = []
    if workspace_id is not None:
        expects = require(actor, "member.add_agent", workspace_id)
        member = new_id()
        writes.append(seat(member, workspace_id, agent_id=pk, name=name, handle=handle, role=Role.AGENT, now=now))
        facts.append(Fact(workspace_id, MemberJoined(member_id=member, name=name, role=Role.AGENT, agent_id=pk)))
    answer = {"id": str(pk), "name": name, "handle": handle, "skills": profile, "max_sessions": max_sessions}
    return commit.submit(
        Change(
            actor,
            expects=expects,
            writes=tuple(writes),
            facts=tuple(facts),
            operation=operation,
            verb="agent.register",
            answer=answer,
            audits=(audit_of("agent.registered", pk, name=name, handle=handle, key=key and key.public_id),),
        )
    )


def _free_handle(handle: str, name: str) -> str:
    wanted = slug(handle or name) or "agent"
    if handle and slug(handle) != handle.strip().lower():
        raise Invalid("A handle is letters, digits and dashes, at most 40.", field="handle")
    taken = set(Agent.objects.filter(handle__startswith=wanted[:34]).values_list("handle", flat=True))
    if handle and wanted in taken:
        raise Invalid(f"The handle @{wanted} is taken; choose another.", field="handle", code="handle_taken")
    free = (h for n in range(1, len(taken) + 2) if (h := wanted if n == 1 else f"{wanted[:34]}-{n}") not in taken)
    return next(free)


def key_row(agent_id: UUID, key: MintedKey, now: datetime, days: int | None = None) -> Insert:
    """Another key of an agent, as a row to be written."""
    values = {
        "agent_id": agent_id,
        "public_id": key.public_id,
        "digest": key.digest,
        "created_at": now,
        "expires_at": None if days is None else now + timedelta(days=days),
    }
    return Insert("agents.AgentKey", new_id(), values)


def audit_of(action: str, agent_id: UUID, **detail: Any) -> Audit:
    """A row of the installation's audit trail about an agent; of a key its public id, never more."""
    return Audit(action, {"agent_id": str(agent_id), **detail})


def next_row(rows: QuerySet[Any, Any], keep: int) -> UUID:
    """The key under which a short history (newest first) goes on: a new one, or of its oldest row once it is full.

    To be used with `Put`: two who go on at once can at worst write over each other.
    """
    kept = list(rows.values_list("pk", flat=True)[:keep])
    return kept[-1] if len(kept) == keep else new_id()


def everywhere(agent_id: UUID, event: Event) -> tuple[Fact, ...]:
    """The same fact for every workspace where the agent sits."""
    seats = Member.objects.filter(agent_id=agent_id, left_at=None).values_list("workspace_id", flat=True)
    return tuple(Fact(workspace_id, event) for workspace_id in seats)


def set_profile(
    agent_id: UUID,
    *,
    name: str,
    skills: Sequence[Mapping[str, Any]],
    description: str = "",
    version: str = "",
    toolkits: Sequence[str] = (),
    model: str = "",
    device: str = "",
    cwd: str = "",
    max_sessions: int = 1,
    actor: Actor,
    operation: str = "",
) -> Future[Outcome]:
    """Replace an agent's name and profile; matching follows from the next task on."""
    agent = get_agent(actor, agent_id)
    name = clean_name(name, limit=80)
    if not 1 <= max_sessions <= MOST_SESSIONS:
        raise Invalid(f"An agent holds 1 to {MOST_SESSIONS} sessions at once.", field="max_sessions")
    wanted = {skill["name"]: skill for skill in clean_skills(skills)}
    values = {
        "name": name,
        "description": clean_text(description, what="Description", limit=4000),
        "version": clean_text(version, what="Version", limit=80),
        "toolkits": [clean_text(str(t), what="Toolkit", limit=80) for t in toolkits][:40],
        "model": clean_text(model, what="Model", limit=120),
        "device": clean_text(device, what="Device", limit=120),
        "cwd": clean_text(cwd, what="Work folder", limit=500),
        "max_sessions": max_sessions,
    }
    writes: list[Write] = [Update("agents.Agent", agent.pk, values, {"retired_at": None})]
    known = {skill.name: skill for skill in Skill.objects.filter(agent=agent)}
    writes += [
        Update("agents.Skill", known[n].pk, {key: value for key, value in s.items() if key != "name"})
        if n in known
        else Insert("agents.Skill", new_id(), {"agent_id": agent.pk, **s})
        for n, s in wanted.items()
    ]
    writes += [Delete("agents.Skill", row.pk) for n, row in known.items() if n not in wanted]
    seats = Member.objects.filter(agent=agent, left_at=None)
    writes += [Update("clawgroups.Member", seat.pk, {"name": name}) for seat in seats]
    return commit.submit(
        Change(
            actor,
            writes=tuple(writes),
            facts=everywhere(agent.pk, AgentProfileSet(agent_id=agent.pk, name=name)),
            operation=operation,
            verb="agent.set_profile",
            answer={"id": str(agent.pk)},
        )
    )


def add_key(
    agent_id: UUID, *, key: MintedKey, days: int | None = None, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Give an agent another key, beside those it has; with `days` it ends by itself."""
    agent = get_agent(actor, agent_id)
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise Invalid(f"A key ends after 1 to {MAX_DAYS} days, or not at all.", field="days")
    row = key_row(agent.pk, key, timezone.now(), days)
    return commit.submit(
        Change(
            actor,
            expects=(Expect("agents.Agent", agent.pk, {"retired_at": None}),),
            writes=(row,),
            operation=operation,
            verb="agent.add_key",
            answer={"id": str(row.pk), "public_id": key.public_id},
            audits=(audit_of("agent.key_made", agent.pk, name=agent.name, key=key.public_id, days=days),),
        )
    )


def revoke_key(key_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Make a key void at once; a connection that came in by it is closed within a second."""
    key = AgentKey.objects.filter(pk=key_id).first()
    if key is None:
        raise NotFound("There is no such key, or it is not yours.")
    agent = get_agent(actor, key.agent_id)
    return commit.submit(
        Change(
            actor,
            writes=(
                Update("agents.AgentKey", key.pk, {"revoked_at": timezone.now()}, {"revoked_at": None}),
                Update("agents.Agent", agent.pk, {"auth_version": agent.auth_version + 1}),
            ),
            operation=operation,
            verb="agent.revoke_key",
            answer={"id": str(key.pk)},
            audits=(audit_of("agent.key_revoked", agent.pk, name=agent.name, key=key.public_id),),
            wakes=(bus.agent_topic(agent.pk), bus.passes_topic()),
        )
    )


def retire_agent(agent_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Withdraw an agent: its keys are void, its sockets close, its open work is released by the sweeper."""
    agent = get_agent(actor, agent_id)
    now = timezone.now()
    values = {"retired_at": now, "auth_version": agent.auth_version + 1}
    writes: list[Write] = [Update("agents.Agent", agent.pk, values, {"retired_at": None})]
    keys = AgentKey.objects.filter(agent=agent, revoked_at=None)
    writes += [Update("agents.AgentKey", key.pk, {"revoked_at": now}) for key in keys]
    return commit.submit(
        Change(
            actor,
            writes=tuple(writes),
            facts=everywhere(agent.pk, AgentRetired(agent_id=agent.pk)),
            operation=operation,
            verb="agent.retire",
            answer={"id": str(agent.pk)},
            audits=(audit_of("agent.retired", agent.pk, name=agent.name, keys=len(keys)),),
            wakes=(bus.agent_topic(agent.pk), bus.passes_topic()),
        )
    )


def reset_record(agent_id: UUID, *, skill: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have the matching look only at what an agent does with a skill from now on; what it did stays to be seen."""
    agent = get_agent(actor, agent_id)
    name = slug(skill)
    if not name or name != skill.strip():
        raise Invalid("Name the skill whose record is to count anew.", field="skill")
    since = {**agent.record_since, name: timezone.now().isoformat()}
    if len(since) > MAX_RESETS:
        raise Invalid(f"The record of at most {MAX_RESETS} skills can be reset.", field="skill")
    return commit.submit(
        Change(
            actor,
            writes=(Update("agents.Agent", agent.pk, {"record_since": since}, {"record_since": agent.record_since}),),
            facts=everywhere(agent.pk, AgentProfileSet(agent_id=agent.pk, name=agent.name)),
            operation=operation,
            verb="agent.reset_record",
            answer={"id": str(agent.pk), "record_since": since},
        )
    )
