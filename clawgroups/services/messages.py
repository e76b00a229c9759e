"""Saying something: in the group chat, in a task's thread, as an answer, with files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.addressing import mentioned, named
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome
from clawgroups.core.errors import Invalid, NotFound
from clawgroups.core.events import MessagePosted
from clawgroups.models import Member, Message
from clawgroups.permissions import get_task, require, seat_of, seats_kept
from clawgroups.planned import Planned
from clawgroups.services import talking
from clawgroups.services.attempts import Decision
from clawgroups.services.files import StoredFile
from clawgroups.services.workspaces import clean_text

MAX_MESSAGE = 20_000
MOST_FILES = 10


def post_message(
    workspace_id: UUID,
    *,
    body: str,
    actor: Actor,
    task_id: UUID | None = None,
    run_id: UUID | None = None,
    reply_to: UUID | None = None,
    files: Sequence[StoredFile] = (),
    within: UUID | None = None,
    unheard: bool = False,
    provided: tuple[Expect, ...] = (),
    operation: str = "",
) -> Future[Outcome]:
    """Say something in the group chat, or in a task's thread, with files or as an answer to another message.

    Agents that it names are asked for an answer (`services.talking`). `within`: the task at which an agent is that says
    it. `unheard`: the coordinator is to decide whom it is for. `provided`: what must still be so when it is said.
    """
    with seats_kept():
        expects = require(actor, "message.post", workspace_id)
        if task_id is not None and actor.kind is not ActorKind.SYSTEM:
            get_task(actor, task_id, "task.view")
        if reply_to is not None:
            _in_thread(reply_to, workspace_id, task_id)
        few_enough(len(files))
        speaker = talking.speaker_of(actor, within)
        decision, pk = spoken(
            workspace_id, body=body, actor=actor, speaker=speaker, task_id=task_id, run_id=run_id, reply_to=reply_to,
            files=files, unheard=unheard,
        )  # fmt: skip
    return commit.submit(
        Change(
            actor,
            workspace_id,
            (*expects, *provided),
            tuple(decision.writes),
            tuple(decision.facts),
            operation,
            verb="message.post",
            answer={"id": str(pk)},
            wakes=tuple(decision.wakes),
        )
    )


def spoken(
    workspace_id: UUID,
    *,
    body: str,
    actor: Actor,
    speaker: talking.Speaker,
    task_id: UUID | None = None,
    run_id: UUID | None = None,
    reply_to: UUID | None = None,
    files: Sequence[StoredFile] = (),
    unheard: bool = False,
) -> tuple[Decision, UUID]:
    """A message with its files and with what it asks of agents, as part of a larger change; and its id."""
    insert, fact = message(
        workspace_id, body=body, actor=actor, task_id=task_id, run_id=run_id, reply_to=reply_to, wordless=bool(files),
        turn=speaker.turn,
    )  # fmt: skip
    said = talking.Said(insert.pk, workspace_id, str(insert.values["body"]), task_id, reply_to, tuple(files))
    asked, held_up = talking.wake(said, mentions_of(said.body, workspace_id), speaker, actor)
    if held_up:
        insert = replace(insert, values={**insert.values, "held_up": held_up})
    if unheard:
        insert = replace(insert, values={**insert.values, "heard": talking.UNHEARD})
    decision = Decision([insert, *_with_files(insert.pk, workspace_id, files)], [fact])
    decision.add(asked)
    return decision, insert.pk


def message(
    workspace_id: UUID,
    *,
    body: str,
    actor: Actor,
    task_id: UUID | None = None,
    run_id: UUID | None = None,
    reply_to: UUID | None = None,
    wordless: bool = False,
    turn: int = 0,
) -> tuple[Insert, Fact]:
    """A message as part of a larger change: its row and its fact. It asks nobody for an answer.

    `turn`: see `Message`. Raises `Invalid` when empty, unless `wordless`.
    """
    body = clean_text(body, what="Message", limit=MAX_MESSAGE, required=not wordless)
    seat = seat_of(actor, workspace_id) if (actor.user_id or actor.agent_id) else None
    pk = new_id()
    values = {
        "workspace_id": workspace_id,
        "task_id": task_id,
        "run_id": run_id,
        "member_id": seat.pk if seat else None,
        "actor": actor.as_json(),
        "body": body,
        "reply_to_id": reply_to,
        "created_at": timezone.now(),
        "turn": turn,
    }
    fact = MessagePosted(message_id=pk, task_id=task_id, mentions=mentions_of(body, workspace_id))
    return Insert("clawgroups.Message", pk, values), Fact(workspace_id, fact)


def mentions_of(body: str, workspace_id: UUID) -> tuple[UUID, ...]:
    """The present members whom a text names."""
    return mentioned(body, dict(_handles(workspace_id))) if named(body) else ()


_handles: Planned[tuple[str, UUID]] = Planned(
    lambda workspace_id: Member.objects.filter(workspace_id=workspace_id, left_at=None).values_list("handle", "pk")
)


def few_enough(number: int) -> None:
    """Refuse too many files at once, before any of them is read. Raises `Invalid`."""
    if number > MOST_FILES:
        raise Invalid(
            f"At most {MOST_FILES} files go with one message; these are {number}. Send the rest with the next one.",
            field="files",
            code="too_many_files",
        )


def _with_files(message_id: UUID, workspace_id: UUID, files: Sequence[StoredFile]) -> list[Insert]:
    columns = {"message_id": message_id, "workspace_id": workspace_id}
    return [
        Insert(
            "clawgroups.MessageFile",
            new_id(),
            {
                **columns,
                "position": position,
                "name": stored.name,
                "size": stored.size,
                "sha256": stored.sha256,
                "content_type": stored.content_type[:120],
            },
        )
        for position, stored in enumerate(files)
    ]


def _in_thread(reply_to: UUID, workspace_id: UUID, task_id: UUID | None) -> None:
    """Whether one can answer that message there. Raises `NotFound`, `Invalid`."""
    thread = Message.objects.filter(pk=reply_to, workspace=workspace_id).values_list("task", flat=True)[:1]
    if not thread:
        raise NotFound("The message that you answer is not in this workspace.")
    if thread[0] != task_id:
        raise Invalid("One answers where it was said: in the same thread.", field="reply_to", code="other_thread")
