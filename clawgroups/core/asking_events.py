"""Facts about people who are asked whether they would do a task; part of the vocabulary in `core.events`."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from clawgroups.core.event_base import JournalEvent


class TaskDeclined(JournalEvent):
    """No move: a person who was asked for a task said no, or let the time pass (`silent`).

    `back_to`: whoever had given it to them, and has it back; nobody: the coordinator looks for the next one.
    """

    type: Literal["task.declined"] = "task.declined"
    task_id: UUID
    run_id: UUID
    member_id: UUID
    reason: str = ""
    silent: bool = False
    back_to: UUID | None = None


class TaskDelegated(JournalEvent):
    """No move: a person who was asked for a task passed the question on to another one."""

    type: Literal["task.delegated"] = "task.delegated"
    task_id: UUID
    member_id: UUID
    to_id: UUID
    note: str = ""


AskingEvent = TaskDeclined | TaskDelegated
