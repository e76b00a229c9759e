"""What is remembered, for those who read it: people all of it, agents and prompts what fits best.

A note that is struck out is for people alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q, QuerySet

from clawgroups.core.actors import Actor
from clawgroups.core.errors import NotFound
from clawgroups.core.remembering import Candidate, best_first, looked_for, room_mark, within
from clawgroups.models import Memory
from clawgroups.permissions import get_memory, require
from clawgroups.planned import Planned

MAX_FOUND = 20
LOOKED_AT = 500  # notes that have any of the words, the newest ones
SOURCE = ("attempt__task", "attempt__member", "message", "task", "agent")
OFFERED = 1_500  # tokens of notes in a prompt
MOST_OF_ONE = 1_200  # characters of a single note there
CUT = " … (cut here; `recall` gives all of it)"


def notes_of(workspace_id: UUID, actor: Actor, query: str = "") -> QuerySet[Memory]:
    """All notes of a workspace, newest first, with `query` those that have one of its words.

    An agent is given neither what is struck out nor what is for other agents.
    """
    require(actor, "memory.view", workspace_id)
    notes = Memory.objects.filter(workspace=workspace_id).select_related(*SOURCE)
    if actor.agent_id is not None:
        notes = notes.filter(Q(agent=None) | Q(agent=actor.agent_id), struck_at=None)
    words = looked_for(query)
    return notes.filter(words__any=(room_mark(workspace_id), words)) if words else notes


def note(memory_id: UUID, actor: Actor) -> Memory:
    """One note. An agent is given none that is struck out or for another agent. Raises `NotFound`."""
    found = notes_of(get_memory(actor, memory_id, "memory.view").workspace_id, actor).filter(pk=memory_id).first()
    if found is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    return found


def ordered(notes: QuerySet[Memory], query: str) -> list[Memory]:
    """Notes in the order in which they fit."""
    return _best(list(notes[:LOOKED_AT]), looked_for(query), None, None)


def recall(workspace_id: UUID, *, query: str, task_id: UUID | None, actor: Actor) -> list[Memory]:
    """The notes that fit best, at most 20: for everybody here, for this task, and the agent's own.

    Fitting means words in common, those of the key first; without words the newest.
    """
    found = notes_of(workspace_id, actor, query).filter(_meant_for(task_id, actor.agent_id), struck_at=None)
    words = looked_for(query)
    if not words:
        return list(found[:MAX_FOUND])
    looked_at = found.select_related(None).only("key", "words", "task", "agent")
    best = [row.pk for row in _best(list(looked_at[:LOOKED_AT]), words, task_id, actor.agent_id)[:MAX_FOUND]]
    rows = found.in_bulk(best)
    return [rows[pk] for pk in best if pk in rows]


def fitting(
    workspace_id: UUID, about: str, *, task_id: UUID | None = None, agent_id: UUID | None = None
) -> list[Memory]:
    """What may be told to whoever works on this, best first: all of the task, then what has words in common with
    `about`, then the newest of the rest. Nothing of another workspace, and nothing that is struck out."""
    rows = _newest_for(workspace_id, task_id, agent_id)
    words = looked_for(about)
    if len(rows) == LOOKED_AT and words:
        # The newest are not all there is: one that fits may be an old one.
        notes = _notes_for(workspace_id, task_id, agent_id)
        fit = notes.filter(words__any=(room_mark(workspace_id), words)).select_related("agent")
        rows = list({row.pk: row for row in (*fit[:LOOKED_AT], *rows)}.values())
    ordered = _best(rows, words, task_id, agent_id)
    return sorted(ordered, key=lambda row: row.task_id is None)


def _notes_for(workspace_id: UUID, task_id: UUID | None, agent_id: UUID | None) -> QuerySet[Memory, Memory]:
    return Memory.objects.filter(_meant_for(task_id, agent_id), workspace=workspace_id, struck_at=None)


_newest_for: Planned[Memory] = Planned(
    lambda workspace_id, task_id, agent_id: _notes_for(workspace_id, task_id, agent_id).select_related("agent")[
        :LOOKED_AT
    ]
)


def _meant_for(task_id: UUID | None, agent_id: UUID | None) -> Q:
    own = Q(task=None, agent=agent_id) if agent_id is not None else Q()
    of_task = Q(task=task_id, agent=None) if task_id is not None else Q()
    return Q(task=None, agent=None) | own | of_task


def _best(rows: list[Memory], words: Sequence[str], task_id: UUID | None, agent_id: UUID | None) -> list[Memory]:
    found = [Candidate(row, row.key, row.words, _near(row, task_id, agent_id)) for row in rows]
    return [one.note for one in best_first(found, words)]


def _near(row: Memory, task_id: UUID | None, agent_id: UUID | None) -> int:
    return 2 * (task_id is not None and row.task_id == task_id) + (agent_id is not None and row.agent_id == agent_id)


def offered(
    workspace_id: UUID, about: str, *, task_id: UUID, agent_id: UUID | None, budget: int = OFFERED
) -> tuple[list[Memory], int]:
    """The notes that a prompt has room for, best first, and how many it leaves out. Their texts are cut in place."""
    found = fitting(workspace_id, about, task_id=task_id, agent_id=agent_id)
    for row in found:
        row.text = row.text if len(row.text) <= MOST_OF_ONE else row.text[:MOST_OF_ONE].rstrip() + CUT
    return within(((row, f"{row.key}\n{row.text}\n{by(row)}") for row in found), budget)


def by(row: Memory) -> str:
    """Who wrote a note last, as others are told: the name, and whether that is a person."""
    kind = str(row.actor.get("kind", ""))
    return f"{row.actor.get('name', '')}, {'a person' if kind == 'person' else kind or 'somebody'}"


def source_of(row: Memory) -> dict[str, str | None]:
    """What a note came out of: task, attempt, message. Empty where a person just wrote it."""
    attempt = row.attempt
    return {
        "task": str(attempt.task_id) if attempt is not None else None,
        "task_title": attempt.task.title if attempt is not None else None,
        "attempt": str(attempt.pk) if attempt is not None else None,
        "attempt_number": str(attempt.number) if attempt is not None else None,
        "message": str(row.message_id) if row.message_id else None,
    }
