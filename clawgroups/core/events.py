"""The closed vocabulary of the journal: one frozen model per fact, in the past tense.

Payloads hold ids and facts that any member may see, never bodies of approvals, thoughts or raw
tool input. A docstring's first line is the event's public documentation: `before → after`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, TypeAdapter

from clawgroups.core.access_events import AccessEvent
from clawgroups.core.approval_events import ApprovalEvent
from clawgroups.core.asking_events import AskingEvent
from clawgroups.core.control_events import ControlEvent
from clawgroups.core.coordination_events import CoordinationEvent
from clawgroups.core.event_base import JournalEvent
from clawgroups.core.memory_events import MemoryEvent
from clawgroups.core.message_events import MessageEvent
from clawgroups.core.task_events import (
    ArtifactAdded,
    AttemptAcknowledged,
    AttemptQuiet,
    AttemptStirred,
    ContactLost,
    ContactRestored,
    DraftSaved,
    LateResultAdopted,
    LateResultKept,
    PlanTicked,
    ProgressReported,
    SessionOptionSet,
    StepRecorded,
    StopConfirmed,
    StopUnconfirmed,
    TaskAssigned,
    TaskBegun,
    TaskCancelled,
    TaskDone,
    TaskFailed,
    TaskHandedBack,
    TaskParked,
    TaskReady,
    TaskRegenerated,
    TaskReleased,
    TaskReturned,
    TaskSplit,
    TaskStuck,
    TaskSubmitted,
    TaskTakenOver,
)


class WorkspaceCreated(JournalEvent):
    """A workspace was opened; always seq 1 of its first generation."""

    type: Literal["workspace.created"] = "workspace.created"
    name: str


class WorkspaceRenamed(JournalEvent):
    """The workspace got another name."""

    type: Literal["workspace.renamed"] = "workspace.renamed"
    name: str


class GoalSet(JournalEvent):
    """The workspace's goal was replaced."""

    type: Literal["workspace.goal_set"] = "workspace.goal_set"
    goal: str


class RulesSet(JournalEvent):
    """The workspace's standing rules were replaced."""

    type: Literal["workspace.rules_set"] = "workspace.rules_set"
    rules: str


class TimersSet(JournalEvent):
    """The workspace's own deadlines were replaced: seconds by name, as in `core.timers`."""

    type: Literal["workspace.timers_set"] = "workspace.timers_set"
    timers: dict[str, float]


class OutageOver(JournalEvent):
    """We were away: every deadline of work in hand was moved on by this many seconds."""

    type: Literal["workspace.outage_over"] = "workspace.outage_over"
    seconds: int


class MemberJoined(JournalEvent):
    """no seat → seat: a person or an agent joined with a role."""

    type: Literal["member.joined"] = "member.joined"
    member_id: UUID
    name: str
    role: str
    agent_id: UUID | None = None
    user_id: int | None = None
    # By which invitation, of a person who came by a link.
    invitation_id: UUID | None = None


class MemberLeft(JournalEvent):
    """seat → no seat, by leaving or by removal; the agents of a person leave with them."""

    type: Literal["member.left"] = "member.left"
    member_id: UUID


class MemberRoleSet(JournalEvent):
    """A person's role was replaced; open sockets follow it at their next message."""

    type: Literal["member.role_set"] = "member.role_set"
    member_id: UUID
    role: str


class AgentOnline(JournalEvent):
    """contact lost or none → live: the agent's socket is open and `initialize` was answered."""

    type: Literal["agent.online"] = "agent.online"
    agent_id: UUID


class AgentOffline(JournalEvent):
    """live → lost: no ping answered for the lease, or the socket closed for good."""

    type: Literal["agent.offline"] = "agent.offline"
    agent_id: UUID


class AgentProfileSet(JournalEvent):
    """The owner changed an agent's name or skill profile; matching follows from the next task on."""

    type: Literal["agent.profile_set"] = "agent.profile_set"
    agent_id: UUID
    name: str


class AgentRetired(JournalEvent):
    """The owner withdrew an agent; its keys are void."""

    type: Literal["agent.retired"] = "agent.retired"
    agent_id: UUID


class BreakerSet(JournalEvent):
    """An agent that keeps failing gets no work (open), one task as a probe (probing), work again (closed), or
    none until a person clears it (quarantined)."""

    type: Literal["agent.breaker_set"] = "agent.breaker_set"
    agent_id: UUID
    state: str
    reason: str


class MessagePosted(JournalEvent):
    """A message stands in the group chat (no task) or in a task's thread."""

    type: Literal["message.posted"] = "message.posted"
    message_id: UUID
    task_id: UUID | None = None
    mentions: tuple[UUID, ...] = ()


class RunDrafted(JournalEvent):
    """none → draft: a goal was given, with its inputs; planning follows."""

    type: Literal["run.drafted"] = "run.drafted"
    run_id: UUID
    goal: str


class RunPlanning(JournalEvent):
    """draft or proposed → planning: the coordinator makes a plan (again)."""

    type: Literal["run.planning"] = "run.planning"
    run_id: UUID


class RunProposed(JournalEvent):
    """draft or planning → proposed: a checked plan waits for a person's start."""

    type: Literal["run.proposed"] = "run.proposed"
    run_id: UUID
    tasks: int


class RunStarted(JournalEvent):
    """proposed → running. Tasks without dependencies become ready in the same change."""

    type: Literal["run.started"] = "run.started"
    run_id: UUID


class RunPaused(JournalEvent):
    """Nothing new is assigned until the run is resumed; work in hand goes on, unless every agent was `stopped`."""

    type: Literal["run.paused"] = "run.paused"
    run_id: UUID
    stopped: bool = False


class RunResumed(JournalEvent):
    """A paused run goes on."""

    type: Literal["run.resumed"] = "run.resumed"
    run_id: UUID


class RunConsolidating(JournalEvent):
    """running → consolidating: every task is terminal, the deliverable is being made."""

    type: Literal["run.consolidating"] = "run.consolidating"
    run_id: UUID


class RunDone(JournalEvent):
    """consolidating → done: the deliverables stand."""

    type: Literal["run.done"] = "run.done"
    run_id: UUID


class RunFailed(JournalEvent):
    """planning, running or consolidating → failed, with the reason."""

    type: Literal["run.failed"] = "run.failed"
    run_id: UUID
    reason: str


class RunCancelled(JournalEvent):
    """any open state → cancelled; its open tasks are cancelled in the same change."""

    type: Literal["run.cancelled"] = "run.cancelled"
    run_id: UUID


Event = Annotated[
    WorkspaceCreated
    | WorkspaceRenamed
    | GoalSet
    | RulesSet
    | TimersSet
    | OutageOver
    | MemberJoined
    | MemberLeft
    | MemberRoleSet
    | AgentOnline
    | AgentOffline
    | AgentProfileSet
    | AgentRetired
    | BreakerSet
    | AccessEvent
    | MessagePosted
    | MemoryEvent
    | RunDrafted
    | RunPlanning
    | RunProposed
    | RunStarted
    | RunPaused
    | RunResumed
    | RunConsolidating
    | RunDone
    | RunFailed
    | RunCancelled
    | TaskReady
    | TaskAssigned
    | TaskBegun
    | TaskSubmitted
    | TaskReturned
    | TaskDone
    | TaskTakenOver
    | TaskHandedBack
    | TaskReleased
    | TaskStuck
    | TaskParked
    | TaskFailed
    | TaskCancelled
    | TaskRegenerated
    | TaskSplit
    | AttemptAcknowledged
    | AttemptQuiet
    | AttemptStirred
    | ContactLost
    | ContactRestored
    | LateResultKept
    | LateResultAdopted
    | StopUnconfirmed
    | StopConfirmed
    | StepRecorded
    | PlanTicked
    | SessionOptionSet
    | ProgressReported
    | DraftSaved
    | ArtifactAdded
    | CoordinationEvent
    | ControlEvent
    | AskingEvent
    | ApprovalEvent
    | MessageEvent,
    Field(discriminator="type"),
]

_ADAPTER: TypeAdapter[Any] = TypeAdapter(Event, config=ConfigDict(defer_build=True))

EVENTS: dict[str, type[JournalEvent]] = {cls.model_fields["type"].default: cls for cls in JournalEvent.__subclasses__()}


def parse_event(type_: str, payload: dict[str, Any]) -> Any:
    """The event of a journal entry; raises pydantic's ValidationError when it is none of ours."""
    return _ADAPTER.validate_python({"type": type_, **payload})


def payload_of(event: JournalEvent) -> dict[str, Any]:
    """The JSON payload stored beside the type."""
    return event.model_dump(mode="json", exclude={"type"})


# The types that some reaction follows; a test holds this against `clawgroups.reactions`.
WAKING = frozenset(
    {
        "run.drafted",
        "run.planning",
        "run.started",
        "run.resumed",
        "run.answered",
        "run.budget_set",
        "run.model_called",
        "run.replan_asked",
        "run.replan_accepted",
        "run.replan_rejected",
        "member.profile_set",
        "task.assignee_chosen",
        "task.paused",
        "task.resumed",
        "run.consolidating",
        "run.proposed",
        "task.handed_back",
        "task.late_result_adopted",
        "task.regenerated",
        "task.split",
        "task.taken_over",
        "attempt.late_result_kept",
        "agent.breaker_set",
        "agent.profile_set",
        "task.ready",
        "task.submitted",
        "task.returned",
        "task.released",
        "task.stuck",
        "task.done",
        "task.failed",
        "task.cancelled",
        "member.joined",
        "agent.online",
    }
)
