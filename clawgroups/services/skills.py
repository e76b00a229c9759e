"""Skills that an agent's profile could name, from what the agent announced of itself, and the verb that adds them.

First what it says it has, then what programs of its kind are usually good at. It is a suggestion to its owner: a
level is never taken from the agent, and nothing is in a profile that its owner has not put there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from agents.ids import new_id
from agents.models import Agent, Skill
from clawgroups import commit
from clawgroups.core import announced
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Insert, Outcome
from clawgroups.core.errors import Invalid
from clawgroups.core.events import AgentProfileSet
from clawgroups.permissions import get_agent
from clawgroups.services.agents import MAX_SKILLS, clean_skills, everywhere, slug

LEVEL = 3
MOST = 12

# Words in the names of programs that write software and speak ACP.
_CODERS = frozenset(
    {"claude", "codex", "copilot", "cursor", "fast", "gemini", "goose", "kimi", "opencode", "qwen", "vibe"}
)
_CODING = announced.Skill("coding", "", "Writes, changes and tests software in a folder.")
_USUAL = (
    announced.Skill("data-analysis", "", "Reads tables and says what stands out, with the numbers."),
    announced.Skill("writing", "", "Clear prose from notes and figures."),
    announced.Skill("review", "", "Checks somebody else's result and says what is wrong."),
)
_IMAGES = announced.Skill("image-reading", "", "Reads pictures, scans and diagrams.")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A skill for the profile. `said`: whether the agent itself says that it has it."""

    name: str
    title: str
    description: str
    level: int
    said: bool

    @property
    def profile(self) -> dict[str, Any]:
        """As the verbs on profiles take it."""
        return {key: value for key, value in asdict(self).items() if key != "said"}


def suggested(told: Any, have: Collection[str] = (), *, program: str = "") -> tuple[Suggestion, ...]:
    """What a profile could name beside the skills that it has; `program`: the one that its owner says is started."""
    own = [_of(skill, LEVEL, said=True) for skill in announced.skills(told)]
    usual = [] if own else _usual(told, program)
    found = {one.name: one for one in (*usual, *own) if one.name and one.name not in have}
    return tuple(found.values())[:MOST]


def suggested_for(agent: Agent, *, program: str = "") -> tuple[Suggestion, ...]:
    """What this agent's profile could name besides."""
    return suggested(agent.announced, set(agent.skills.values_list("name", flat=True)), program=program)


def _usual(told: Any, program: str) -> list[Suggestion]:
    """What programs of this name and with these abilities are usually good at."""
    names = (program, announced.fact(told, "name"), announced.fact(told, "title"))
    if _CODERS.isdisjoint(word for name in names for word in slug(name).split("-")):
        return []
    pictures = [_IMAGES] if announced.can(told, "image") else []
    return [_of(_CODING, LEVEL + 1), *(_of(skill, LEVEL) for skill in (*_USUAL, *pictures))]


def _of(skill: announced.Skill, level: int, *, said: bool = False) -> Suggestion:
    name = slug(skill.name)
    title = skill.title or ("" if name == skill.name else skill.name)
    return Suggestion(name, title, skill.description, level, said)


def add_skills(
    agent_id: UUID, *, skills: Sequence[Mapping[str, Any]], actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Add skills to an agent's profile; one that it has stays as it is. Answer: {"id", "added"}."""
    agent = get_agent(actor, agent_id)
    have = set(Skill.objects.filter(agent=agent).values_list("name", flat=True))
    fresh = [skill for skill in clean_skills(skills) if skill["name"] not in have]
    if len(have) + len(fresh) > MAX_SKILLS:
        raise Invalid(f"At most {MAX_SKILLS} skills.", field="skills")
    return commit.submit(
        Change(
            actor,
            expects=(Expect("agents.Agent", agent.pk, {"retired_at": None}),),
            writes=tuple(Insert("agents.Skill", new_id(), {"agent_id": agent.pk, **skill}) for skill in fresh),
            facts=everywhere(agent.pk, AgentProfileSet(agent_id=agent.pk, name=agent.name)),
            operation=operation,
            verb="agent.add_skills",
            answer={"id": str(agent.pk), "added": [skill["name"] for skill in fresh]},
        )
    )
