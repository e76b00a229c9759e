"""Verbs on messages."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.addressing import mentioned
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome
from clawgroups.core.events import MessagePosted
from clawgroups.models import Member
from clawgroups.permissions import get_task, require, seat_of
from clawgroups.services.workspaces import clean_text

MAX_MESSAGE = 20_000


def post_message(
    workspace_id: UUID,
    *,
    body: str,
    actor: Actor,
    task_id: UUID | None = None,
    run_id: UUID | None = None,
    provided: tuple[Expect, ...] = (),
    operation: str = "",
) -> Future[Outcome]:
    """Say something in the group chat, or in a task's thread. `provided`: what must still be so when it is said."""
    expects = require(actor, "message.post", workspace_id)
    if task_id is not None:
        get_task(actor, task_id, "task.view")
    insert, fact = message(workspace_id, body=body, actor=actor, task_id=task_id, run_id=run_id)
    return commit.submit(
        Change(
            actor,
            workspace_id,
            (*expects, *provided),
            (insert,),
            (fact,),
            operation,
            verb="message.post",
            answer={"id": str(insert.pk)},
        )
    )


def message(
    workspace_id: UUID,
    *,
    body: str,
    actor: Actor,
    task_id: UUID | None = None,
    run_id: UUID | None = None,
) -> tuple[Insert, Fact]:
    """A message as part of a larger change: its row and its fact. Raises `Invalid` when empty."""
    body = clean_text(body, what="Message", limit=MAX_MESSAGE, required=True)
    seat = seat_of(actor, workspace_id) if (actor.user_id or actor.agent_id) else None
    handles = dict(Member.objects.filter(workspace_id=workspace_id, left_at=None).values_list("handle", "pk"))
    pk = new_id()
    values = {
        "workspace_id": workspace_id,
        "task_id": task_id,
        "run_id": run_id,
        "member_id": seat.pk if seat else None,
        "actor": actor.as_json(),
        "body": body,
        "created_at": timezone.now(),
    }
    fact = MessagePosted(message_id=pk, task_id=task_id, mentions=mentioned(body, handles))
    return Insert("clawgroups.Message", pk, values), Fact(workspace_id, fact)
