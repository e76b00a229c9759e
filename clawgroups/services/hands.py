"""Who holds a task by hand: what every verb of a holder asks first."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Conflict, Forbidden
from clawgroups.core.lifecycle import ATTEMPT_LIVE, TASK_TERMINAL
from clawgroups.models import Attempt, Member, Task
from clawgroups.permissions import get_task, seat_of

NOT_HOLDER, MOVED_ON = "not_holder", "moved_on"


def own_seat(actor: Actor, task: Task) -> Member:
    """The actor's seat in the task's workspace, if it is a person's. Raises `Forbidden`."""
    seat = seat_of(actor, task.workspace_id)
    if seat is None or seat.user_id is None:
        raise Forbidden("Only a person can hold a task.")
    return seat


def held(task_id: UUID, actor: Actor, action: str = "task.hold") -> tuple[Task, Attempt]:
    """A task that the actor holds, and their attempt. Raises `Conflict` naming whoever holds it instead."""
    task, attempt = _held(task_id, actor, action)
    # One is read after the other: somebody who took it over meanwhile is named by another look.
    return (task, attempt) if attempt.state in ATTEMPT_LIVE else _held(task_id, actor, action)


def _held(task_id: UUID, actor: Actor, action: str) -> tuple[Task, Attempt]:
    task = get_task(actor, task_id, action)
    seat = own_seat(actor, task)
    if task.holder_id != seat.pk or task.attempt is None:
        raise Conflict(
            f"You do not hold this task; {_instead(task)}",
            code=NOT_HOLDER,
            holder=task.holder.name if task.holder else None,
            state=task.state,
        )
    return task, Attempt.objects.select_related("member").get(pk=task.attempt.pk)


def _instead(task: Task) -> str:
    """Who has it instead, and what can be done."""
    if task.holder is not None:
        return f"{task.holder.name} holds it now. Ask them for it."
    if task.state in TASK_TERMINAL:
        return f"it is {task.state} now. Nothing can be added to it."
    if task.state == "in_review":
        return "its result is in review now. Take it over to go on with it."
    if task.assignee is not None:
        return f"nobody holds it: {task.assignee.name} has it now. Take it over to go on with it."
    return "nobody holds it. Take it over first."


def check_seen(task: Task, epoch: int | None) -> None:
    """That the task is as whoever acts on it saw it. None: they do not say what they saw.

    Raises `Conflict` (code "moved_on") naming who has it now, and what to do.
    """
    if epoch is None or epoch == task.epoch:
        return
    raise Conflict(
        f"This task moved on while you looked at it: {in_hands(task)}. Nothing was done; look at it as it "
        "is now, then do it again if you still want to.",
        code=MOVED_ON,
        epoch=task.epoch,
        state=task.state,
        holder=task.holder.name if task.holder else None,
    )


def in_hands(task: Task) -> str:
    """Whose hands a task is in, as a clause."""
    if task.holder is not None:
        return f"{task.holder.name} holds it now"
    if task.assignee is not None and task.state in ("assigned", "working"):
        return f"{task.assignee.name} works on it now"
    return f"it is {task.state.replace('_', ' ')} now"


def on_behalf(actor: Actor, attempt: Attempt) -> Actor:
    """An agent that works in a person's attempt acts on behalf of that person; any other actor is as it is."""
    holder = attempt.member.user_id
    return replace(actor, on_behalf_of=holder) if actor.kind is ActorKind.AGENT and holder is not None else actor
