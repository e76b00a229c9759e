"""Reads what a prompt is made of: the workspace, who is there, the run's goal with its files and answers."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from agents.models import Agent, Skill
from clawgroups.coordinator import prompt
from clawgroups.coordinator.prompt import Answered, Brief, Given, Note, Profile
from clawgroups.core.errors import NotFound
from clawgroups.models import Artifact, Member, Run
from clawgroups.services.files import open_file
from clawgroups.services.model_images import reference_of, usable
from clawgroups.services.recalling import fitting

MAX_IMAGES = 4
TEXTS = ("text/", "application/json")
LOOKED_AT = 4 * prompt.EXCERPT  # bytes


def brief_of(run: Run, *, members: bool = True, files: bool = True) -> Brief:
    """A run's brief. Without `members` or `files` it is shorter, for questions that need neither."""
    inputs = list(Artifact.objects.filter(run=run, kind="input").order_by("created_at", "id")) if files else []
    return Brief(
        workspace=run.workspace.name,
        aim=run.workspace.goal,
        rules=run.workspace.rules,
        profiles=tuple(profiles_of(run.workspace_id)) if members else (),
        notes=tuple(notes_for(run.workspace_id, run.goal)) if members else (),
        goal=run.goal,
        inputs=tuple(_given(inputs)),
        answers=tuple(Answered(a["question"], a["answer"]) for a in run.answers),
        images=tuple(reference_of(row) for row in inputs if usable(row))[:MAX_IMAGES],
    )


def profiles_of(workspace_id: UUID) -> list[Profile]:
    """Who may be proposed: the agents here, and the people who may be asked."""
    here = Member.objects.filter(workspace=workspace_id, left_at=None)
    agents = Q(agent__isnull=False, agent__retired_at=None)
    people = Q(user__isnull=False, user__is_active=True, capacity__gt=0)
    seats = list(here.filter(agents | people).values_list("handle", "name", "agent_id", "skills"))
    ids = [agent_id for *_, agent_id, _ in seats if agent_id is not None]
    about = dict(Agent.objects.filter(pk__in=ids).values_list("pk", "description"))
    skills: dict[object, list[tuple[str, int]]] = {}
    for agent_id, name, level in Skill.objects.filter(agent_id__in=ids).values_list("agent_id", "name", "level"):
        skills.setdefault(agent_id, []).append((name, level))
    return [
        Profile(handle, name, about[agent_id], tuple(skills.get(agent_id, ())))
        if agent_id is not None
        else Profile(handle, name, "", tuple(_declared(own)), is_person=True)
        for handle, name, agent_id, own in seats
    ]


def _declared(skills: object) -> Iterable[tuple[str, int]]:
    if isinstance(skills, dict):
        yield from ((str(name), level) for name, level in skills.items() if isinstance(level, int))


def notes_for(workspace_id: UUID, text: str) -> Iterable[Note]:
    """What the workspace remembers that fits a text best."""
    for row in fitting(workspace_id, text)[: prompt.MAX_NOTES]:
        yield Note(row.key, row.text, str(row.actor.get("name", "")))


def _given(rows: Iterable[Artifact]) -> Iterable[Given]:
    texts = 0
    for row in rows:
        wanted = texts < prompt.MAX_EXCERPTS and row.content_type.startswith(TEXTS)
        texts += wanted
        yield Given(row.name, row.content_type, row.size, _excerpt(row) if wanted else "")


def _excerpt(row: Artifact) -> str:
    try:
        with open_file(row.sha256) as content:
            return content.read(LOOKED_AT).decode("utf-8-sig", errors="replace")[: prompt.EXCERPT]
    except (NotFound, OSError):
        return ""
