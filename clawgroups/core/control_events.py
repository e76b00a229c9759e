"""Facts about people at a task: steering, pausing, stopping, asking for it; part of the vocabulary in `core.events`."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from clawgroups.core.event_base import JournalEvent


class AttemptSteered(JournalEvent):
    """No move: the holder prompted the agent's live session as part of their own attempt.

    `when`: "now" (the turn under way is stopped for it) or "after_step" (as soon as the step under way is over).
    """

    type: Literal["attempt.steered"] = "attempt.steered"
    task_id: UUID
    attempt_id: UUID
    command_id: UUID
    agent_id: UUID
    when: str


class SteerAnswered(JournalEvent):
    """No move: a steered turn is over; `draft` is the version in which its answer is offered, if it had words.

    `outcome`: ACP's stop reason, "error", "cut_off" (the agent's program is gone, or away for too long), or
    "withdrawn" (it was taken back before it was asked).
    """

    type: Literal["attempt.steer_answered"] = "attempt.steer_answered"
    task_id: UUID
    attempt_id: UUID
    command_id: UUID
    outcome: str
    draft: int | None = None


class TaskPaused(JournalEvent):
    """No move: nothing of a task goes on until it is resumed. After `task.released` where an agent had it in hand."""

    type: Literal["task.paused"] = "task.paused"
    task_id: UUID
    run_id: UUID
    by: str


class TaskResumed(JournalEvent):
    """No move: a paused task may go on."""

    type: Literal["task.resumed"] = "task.resumed"
    task_id: UUID
    run_id: UUID


class TaskStopped(JournalEvent):
    """No move: a person had the agent stopped. `task.stuck` or `task.released` of the same change says what follows."""

    type: Literal["task.stopped"] = "task.stopped"
    task_id: UUID
    attempt_id: UUID
    member_id: UUID


class ControlAsked(JournalEvent):
    """none → open: a person asks the holder of a task for it. `how` "offered": its holder would pass it on to them."""

    type: Literal["control.asked"] = "control.asked"
    request_id: UUID
    task_id: UUID
    member_id: UUID
    holder_id: UUID
    how: str = "asked"


class ControlAnswered(JournalEvent):
    """open → granted, refused, withdrawn or void. After a grant the task is taken over by whoever asked."""

    type: Literal["control.answered"] = "control.answered"
    request_id: UUID
    task_id: UUID
    member_id: UUID
    outcome: str


class DraftFileRemoved(JournalEvent):
    """No move: the holder took a file out of the draft; its bytes stay with the earlier versions."""

    type: Literal["draft.file_removed"] = "draft.file_removed"
    task_id: UUID
    attempt_id: UUID
    artifact_id: UUID
    name: str


ControlEvent = (
    AttemptSteered
    | SteerAnswered
    | TaskPaused
    | TaskResumed
    | TaskStopped
    | ControlAsked
    | ControlAnswered
    | DraftFileRemoved
)
