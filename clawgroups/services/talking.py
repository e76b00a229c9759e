"""Agents that a message names answer it: each by a task of its own, in a run of kind "talk".

So an answer can be waited for, watched, taken over, stopped and lost as little as any other work. Whoever is not named
gets nothing, and whoever is muted is not asked. An agent speaks with the rights of the person who asked it, and talk
among agents is held up where it is too long or brings nothing new (`core.talk`) until a person lets it go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Fact, Insert
from clawgroups.core.events import RunDrafted, RunStarted
from clawgroups.core.lifecycle import RunState, TaskState
from clawgroups.core.talk import Turn, held_up
from clawgroups.core.task_events import ArtifactAdded, TaskReady
from clawgroups.core.timers import after
from clawgroups.models import Member, Message, Run, Task, Workspace
from clawgroups.permissions import ACTIONS
from clawgroups.services.attempts import Decision
from clawgroups.services.deadlines import timers_of, waits_when_ready
from clawgroups.services.file_rows import artifact
from clawgroups.services.files import StoredFile

KIND = "talk"
MOST_NAMED = 20
MOST_BEFORE = 6
LONGEST_BEFORE = 2000
# Of a message that names nobody, until the coordinator has decided whom it is for.
UNHEARD = {"state": "waiting"}
TO_YOU = "Answer this message, which {who} wrote to you in the workspace."
TO_NOBODY = (
    "Answer this message, which {who} wrote in the workspace without naming anybody; the coordinator chose you to "
    "answer."
)
WHAT = (
    "Your last message is posted as your answer, with the files that you leave in the work folder. It is what they ask "
    "of you; it gives nobody rights, you included."
)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who says something: with whose rights, in which turn of agents, and what those said before."""

    asked_by: int | None
    turn: int = 0
    before: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it is about to be written."""

    id: UUID
    workspace_id: UUID
    body: str
    task_id: UUID | None
    reply_to: UUID | None
    files: tuple[StoredFile, ...] = ()


def speaker_of(actor: Actor, within: UUID | None = None) -> Speaker:
    """Who speaks. `within`: the task at which an agent is; what it says elsewhere is asked with nobody's rights."""
    if actor.kind is ActorKind.PERSON:
        return Speaker(actor.user_id)
    if actor.agent_id is None or within is None:
        return Speaker(None)
    return answering(Task.objects.select_related("run__asked_in").get(pk=within).run)


def answering(run: Run) -> Speaker:
    """An agent that speaks in a run: in one of kind "talk", after the message that is answered there."""
    asked = run.asked_in
    turn = 1 if asked is None else asked.turn + 1
    return Speaker(run.created_by_id, turn, () if asked is None else tuple(_turns(asked)))


def _turns(message: Message) -> list[Turn]:
    """What agents said up to this message since a person last spoke, oldest first."""
    found: list[Turn] = []
    at: Message | None = message
    while at is not None and at.turn:
        found.append(Turn(str(at.actor.get("name", "")), at.body))
        at = at.reply_to
    return found[::-1]


def wake(
    said: Said, mentions: Sequence[UUID], speaker: Speaker, actor: Actor, *, chosen: str = ""
) -> tuple[Decision, dict[str, Any]]:
    """Have the agents among `mentions` asked, as part of the change that says it; or why they are not, for its row.

    `chosen`: why the coordinator chose them, where the message names nobody.
    """
    if not mentions or speaker.asked_by is None:
        return Decision(), {}
    here = Member.objects.filter(workspace=said.workspace_id, left_at=None)
    named = here.filter(pk__in=mentions, agent__isnull=False, agent__retired_at=None, muted_at=None).exclude(
        agent=actor.agent_id
    )
    members = sorted(named[:MOST_NAMED], key=lambda one: mentions.index(one.pk))
    asker = here.filter(user=speaker.asked_by).first()
    if not members or asker is None or asker.role not in ACTIONS["run.draft"].roles:
        return Decision(), {}
    if speaker.turn and (why := held_up((*speaker.before, Turn(actor.name, said.body)))):
        return Decision(), {"why": why, "members": [str(one.pk) for one in members]}
    who = (
        f"{actor.name} ({asker.role})" if actor.agent_id is None else f"{actor.name} (an agent, asked by {asker.name})"
    )
    return _asked(said, members, speaker.asked_by, who, actor, chosen), {}


def _asked(said: Said, members: Sequence[Member], asked_by: int, who: str, actor: Actor, chosen: str) -> Decision:
    workspace = Workspace.objects.get(pk=said.workspace_id)
    now, pk = timezone.now(), new_id()
    run = Run(pk=pk, workspace=workspace, deadline_at=after(now, timers_of(workspace).run_total))
    values = {
        "workspace_id": workspace.pk,
        "goal": said.body,
        "kind": KIND,
        "asked_in_id": said.id,
        "state": RunState.RUNNING.value,
        "created_by_id": asked_by,
        "created_at": now,
        "started_at": now,
        "deadline_at": run.deadline_at,
        "planner": "chosen by the coordinator" if chosen else "asked in the chat",
        "open_tasks": len(members),
        "path_length": 1,
    }
    decision = Decision([Insert("clawgroups.Run", pk, values)])
    decision.facts.append(Fact(workspace.pk, RunDrafted(run_id=pk, goal=said.body[:500])))
    decision.facts.append(Fact(workspace.pk, RunStarted(run_id=pk)))
    for stored in said.files:
        row = artifact(workspace.pk, pk, stored, kind="input", actor=actor)
        decision.writes.append(row)
        added = ArtifactAdded(artifact_id=row.pk, run_id=pk, name=stored.name, kind="input")
        decision.facts.append(Fact(workspace.pk, added))
    before = _before(said.reply_to)
    for position, member in enumerate(members):
        row = _task(run, said, member, position, who, before, now, chosen)
        decision.writes.append(row)
        decision.facts.append(Fact(workspace.pk, TaskReady(task_id=row.pk, run_id=pk)))
    return decision


def _task(
    run: Run,
    said: Said,
    member: Member,
    position: int,
    who: str,
    before: Sequence[Mapping[str, str]],
    now: datetime,
    chosen: str,
) -> Insert:
    line = " ".join(said.body.split())
    by = "the coordinator" if chosen else who.split(" (", maxsplit=1)[0]
    values = {
        "workspace_id": run.workspace_id,
        "run_id": run.pk,
        "key": f"answer-{position + 1}",
        "position": position,
        "title": f"Answer {who.split(' (', maxsplit=1)[0]}: {line}"[:200],
        "instructions": f"{(TO_NOBODY if chosen else TO_YOU).format(who=who)} {WHAT}",
        "kind": KIND,
        "skills": [],
        "acceptance": ["not_empty"],
        "state": TaskState.READY.value,
        "proposed_id": member.pk,
        "proposal": {"reason": chosen or "named in the message", "by": by},
        "brief": {"only": str(member.pk), **({"said_before": list(before)} if before else {})},
        "created_at": now,
        **waits_when_ready(run, now),
    }
    return Insert("clawgroups.Task", new_id(), values)


def _before(reply_to: UUID | None) -> list[dict[str, str]]:
    """What was said before it, oldest first: the message that it answers, the one which that one answers, and so on."""
    found: list[dict[str, str]] = []
    at = Message.objects.filter(pk=reply_to).first() if reply_to else None
    while at is not None and len(found) < MOST_BEFORE:
        if at.removed_at is None:
            found.append({"from": str(at.actor.get("name", "")), "text": at.body[:LONGEST_BEFORE]})
        at = at.reply_to
    return found[::-1]
