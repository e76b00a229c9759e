"""What somebody types becomes what it is for: a goal for the coordinator, or a message."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from uuid import UUID

from clawgroups.core.actors import Actor
from clawgroups.core.addressing import COORDINATOR, named, without
from clawgroups.core.changes import Outcome
from clawgroups.models import Member
from clawgroups.permissions import ACTIONS, seat_of
from clawgroups.services import hearing, messages, runs
from clawgroups.services.files import StoredFile


def say(
    workspace_id: UUID,
    *,
    body: str,
    actor: Actor,
    task_id: UUID | None = None,
    reply_to: UUID | None = None,
    files: Sequence[StoredFile] = (),
    operation: str = "",
) -> Future[Outcome]:
    """Post a message; in the group chat, one that a person of the team puts to the coordinator is a goal to plan, and
    about one that names nobody the coordinator decides, where a model may be asked.

    Answer: that of the verb; "message", where a goal was given, and else "id" is the message.
    """
    if task_id is None and reply_to is None and is_goal(workspace_id, body, actor):
        goal = without(body, COORDINATOR)
        return runs.draft_run(workspace_id, goal=goal or body, inputs=files, actor=actor, operation=operation)
    unheard = task_id is None and hearing.is_decided(workspace_id, body, actor)
    return messages.post_message(
        workspace_id, body=body, actor=actor, task_id=task_id, reply_to=reply_to, files=files, unheard=unheard,
        operation=operation,
    )  # fmt: skip


def is_goal(workspace_id: UUID, body: str, actor: Actor) -> bool:
    """Whether a text is put to the coordinator by somebody who may give it goals. A member of that name is a member."""
    if COORDINATOR not in {name.casefold() for name in named(body)} or actor.user_id is None:
        return False
    seat = seat_of(actor, workspace_id)
    if seat is None or seat.role not in ACTIONS["run.draft"].roles:
        return False
    return not Member.objects.filter(workspace=workspace_id, left_at=None, handle__iexact=COORDINATOR).exists()
