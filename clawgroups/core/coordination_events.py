"""Facts about how the coordinator works: its questions, plans that were edited, limits, who was chosen instead."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from clawgroups.core.event_base import JournalEvent


class CoordinationSet(JournalEvent):
    """The workspace's settings of the coordinator were replaced: model or not, modes, start, limits."""

    type: Literal["workspace.coordination_set"] = "workspace.coordination_set"


class MemberProfileSet(JournalEvent):
    """A person said which tasks they may be asked for: skills, hours, and how many at once."""

    type: Literal["member.profile_set"] = "member.profile_set"
    member_id: UUID


class RunAsked(JournalEvent):
    """planning → planning: the coordinator asks whoever gave the goal, and waits for the answer."""

    type: Literal["run.asked"] = "run.asked"
    run_id: UUID


class RunAnswered(JournalEvent):
    """planning → planning: the coordinator's question was answered, and it goes on."""

    type: Literal["run.answered"] = "run.answered"
    run_id: UUID


class PlanEdited(JournalEvent):
    """proposed → proposed: a person changed the plan; it has this version now, with these tasks more and less."""

    type: Literal["run.plan_edited"] = "run.plan_edited"
    run_id: UUID
    version: int
    added: tuple[UUID, ...] = ()
    removed: tuple[UUID, ...] = ()


class ReplanAsked(JournalEvent):
    """A person asks the coordinator for a change of a running plan."""

    type: Literal["run.replan_asked"] = "run.replan_asked"
    run_id: UUID


class ReplanProposed(JournalEvent):
    """A change of the plan of a running run waits for a person."""

    type: Literal["run.replan_proposed"] = "run.replan_proposed"
    run_id: UUID


class ReplanAccepted(JournalEvent):
    """A proposed change of a running plan was carried out: so many tasks were added, cancelled, or rewritten.

    `tasks` are the new ones; `again` those that were ready or stuck and begin afresh under the next epoch. All of
    them wait, until `task.ready` says otherwise.
    """

    type: Literal["run.replan_accepted"] = "run.replan_accepted"
    run_id: UUID
    added: int = 0
    cancelled: int = 0
    rewritten: int = 0
    tasks: tuple[UUID, ...] = ()
    again: tuple[UUID, ...] = ()


class ReplanRejected(JournalEvent):
    """A change of a running plan came to nothing: it was turned down, or what was asked for withdrawn or declined."""

    type: Literal["run.replan_rejected"] = "run.replan_rejected"
    run_id: UUID


class ModelCalled(JournalEvent):
    """A question to the model ended: answered, failed or cancelled. What was said is in its own row."""

    type: Literal["run.model_called"] = "run.model_called"
    run_id: UUID
    call_id: UUID
    kind: str
    state: str


class FellBack(JournalEvent):
    """model → built-in coordinator: the model is not to be had, and the run goes on without it."""

    type: Literal["run.fell_back"] = "run.fell_back"
    run_id: UUID
    reason: str


class ModelReturned(JournalEvent):
    """built-in coordinator → model: the model is to be had again."""

    type: Literal["run.model_returned"] = "run.model_returned"
    run_id: UUID


class BudgetSet(JournalEvent):
    """A run's limits were replaced; a run that had reached one goes on where the new ones allow it."""

    type: Literal["run.budget_set"] = "run.budget_set"
    run_id: UUID


class BudgetWarned(JournalEvent):
    """Four fifths of a limit are used up."""

    type: Literal["run.budget_warned"] = "run.budget_warned"
    run_id: UUID
    said: str


class BudgetReached(JournalEvent):
    """A limit is used up: nothing new begins until a person raises it; work in hand goes on and is kept."""

    type: Literal["run.budget_reached"] = "run.budget_reached"
    run_id: UUID
    said: str


class AssigneeChosen(JournalEvent):
    """A person chose another member for a task than was proposed."""

    type: Literal["task.assignee_chosen"] = "task.assignee_chosen"
    task_id: UUID
    member_id: UUID


CoordinationEvent = (
    AssigneeChosen
    | BudgetReached
    | BudgetSet
    | BudgetWarned
    | CoordinationSet
    | FellBack
    | MemberProfileSet
    | ModelCalled
    | ModelReturned
    | PlanEdited
    | ReplanAccepted
    | ReplanAsked
    | ReplanProposed
    | ReplanRejected
    | RunAnswered
    | RunAsked
)
