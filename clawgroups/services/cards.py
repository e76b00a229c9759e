"""Agent cards at our doors: an agent as a card, and a card as what the verbs on agents take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.models import Agent, Skill
from agents.protocol.card import CardError, CardSkill, Profile, read_card, write_card
from clawgroups.core import announced
from clawgroups.core.errors import Invalid
from clawgroups.services.agents import slug

Json = dict[str, Any]
DEFAULT_LEVEL = 3


@dataclass(frozen=True, slots=True)
class ReadCard:
    """What a card says, as arguments of `register_agent`: only what it says. Nothing is saved by reading it."""

    profile: Json
    left_out: tuple[str, ...] = ()


def card_of(agent: Agent) -> Json:
    """The agent's card."""
    profile = Profile(
        name=agent.name,
        description=agent.description,
        version=agent.version or announced.fact(agent.announced, "version"),
        skills=tuple(_said(skill) for skill in agent.skills.all()),
        handle=agent.handle,
        model=agent.model,
        device=agent.device,
        toolkits=tuple(str(one) for one in agent.toolkits),
        max_sessions=agent.max_sessions,
    )
    return write_card(profile, images=announced.can(agent.announced, "image"))


def _said(skill: Skill) -> CardSkill:
    return CardSkill(
        skill.name, skill.title, skill.description, tuple(skill.tags), tuple(skill.examples), level=skill.level
    )


def levels_of(agent: Agent) -> dict[str, int]:
    """The levels of an agent's skills, by name."""
    return dict(agent.skills.values_list("name", "level"))


def read(given: str | Json, *, levels: Mapping[str, int] | None = None) -> ReadCard:
    """Read a card, as text or as its object. Raises `Invalid` saying where it is wrong.

    A skill has the level that the card says, else that of `levels`, else a middle one.
    """
    try:
        found = read_card(given)
    except CardError as fault:
        raise Invalid(str(fault), field="card", code="bad_card") from None
    said = found.profile
    profile: Json = {
        "name": said.name,
        "description": said.description,
        "version": said.version,
        "handle": said.handle,
        "model": said.model,
        "device": said.device,
        "toolkits": list(said.toolkits),
        "max_sessions": said.max_sessions,
        "skills": _named(said.skills, levels or {}),
    }
    # A wish: the agent that the card was made of may be registered here.
    if Agent.objects.filter(handle=slug(said.handle)).exists():
        profile["handle"] = ""
    return ReadCard({key: value for key, value in profile.items() if value}, found.left_out)


def _named(skills: tuple[CardSkill, ...], levels: Mapping[str, int]) -> list[Json]:
    """Skills under the names that tasks ask for: words of letters, digits and dashes, each once."""
    found: dict[str, Json] = {}
    for number, skill in enumerate(skills, 1):
        wanted = slug(skill.id) or slug(skill.name) or f"skill-{number}"
        name = wanted if wanted not in found else f"{wanted[:36]}-{number}"
        title = skill.name or (skill.id if name != skill.id else "")
        found[name] = {
            "name": name,
            "title": title,
            "description": skill.description,
            "level": skill.level or levels.get(name, DEFAULT_LEVEL),
            "tags": list(skill.tags),
            "examples": list(skill.examples),
        }
    return list(found.values())
