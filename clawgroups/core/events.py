"""The closed vocabulary of the journal: one frozen model per fact, in the past tense.

Payloads hold ids and facts that any member may see, never bodies of approvals, thoughts or raw
tool input. A docstring's first line is the event's public documentation: `before → after`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WorkspaceCreated(_Event):
    """A workspace was opened; always seq 1 of its first generation."""

    type: Literal["workspace.created"] = "workspace.created"
    name: str


class WorkspaceRenamed(_Event):
    """The workspace got another name."""

    type: Literal["workspace.renamed"] = "workspace.renamed"
    name: str


class GoalSet(_Event):
    """The workspace's goal was replaced."""

    type: Literal["workspace.goal_set"] = "workspace.goal_set"
    goal: str


class RulesSet(_Event):
    """The workspace's standing rules were replaced."""

    type: Literal["workspace.rules_set"] = "workspace.rules_set"
    rules: str


class MemberJoined(_Event):
    """no seat → seat: a person or an agent joined with a role."""

    type: Literal["member.joined"] = "member.joined"
    member_id: UUID
    name: str
    role: str
    agent_id: UUID | None = None
    user_id: int | None = None


class MemberLeft(_Event):
    """seat → no seat, by leaving or by removal."""

    type: Literal["member.left"] = "member.left"
    member_id: UUID


class MemberRoleSet(_Event):
    """A person's role was replaced; open sockets follow it at their next message."""

    type: Literal["member.role_set"] = "member.role_set"
    member_id: UUID
    role: str


class AgentOnline(_Event):
    """contact lost or none → live: the agent's socket is open and `initialize` was answered."""

    type: Literal["agent.online"] = "agent.online"
    agent_id: UUID


class AgentOffline(_Event):
    """live → lost: no ping answered for the lease, or the socket closed for good."""

    type: Literal["agent.offline"] = "agent.offline"
    agent_id: UUID


class AgentProfileSet(_Event):
    """The owner changed an agent's name or skill profile; matching follows from the next task on."""

    type: Literal["agent.profile_set"] = "agent.profile_set"
    agent_id: UUID
    name: str


class AgentRetired(_Event):
    """The owner withdrew an agent; its keys are void."""

    type: Literal["agent.retired"] = "agent.retired"
    agent_id: UUID


class MessagePosted(_Event):
    """A message stands in the group chat (no task) or in a task's thread."""

    type: Literal["message.posted"] = "message.posted"
    message_id: UUID
    task_id: UUID | None = None
    mentions: tuple[UUID, ...] = ()


class RunDrafted(_Event):
    """none → draft: a goal was given, with its inputs; planning follows."""

    type: Literal["run.drafted"] = "run.drafted"
    run_id: UUID
    goal: str


class RunPlanning(_Event):
    """draft or proposed → planning: the coordinator makes a plan (again)."""

    type: Literal["run.planning"] = "run.planning"
    run_id: UUID


class RunProposed(_Event):
    """draft or planning → proposed: a checked plan waits for a person's start."""

    type: Literal["run.proposed"] = "run.proposed"
    run_id: UUID
    tasks: int


class RunStarted(_Event):
    """proposed → running. Tasks without dependencies become ready in the same change."""

    type: Literal["run.started"] = "run.started"
    run_id: UUID


class RunPaused(_Event):
    """Nothing new is assigned until the run is resumed; work in hand goes on."""

    type: Literal["run.paused"] = "run.paused"
    run_id: UUID


class RunResumed(_Event):
    """A paused run goes on."""

    type: Literal["run.resumed"] = "run.resumed"
    run_id: UUID


class RunConsolidating(_Event):
    """running → consolidating: every task is terminal, the deliverable is being made."""

    type: Literal["run.consolidating"] = "run.consolidating"
    run_id: UUID


class RunDone(_Event):
    """consolidating → done: the deliverables stand."""

    type: Literal["run.done"] = "run.done"
    run_id: UUID


class RunFailed(_Event):
    """planning, running or consolidating → failed, with the reason."""

    type: Literal["run.failed"] = "run.failed"
    run_id: UUID
    reason: str


class RunCancelled(_Event):
    """any open state → cancelled; its open tasks are cancelled in the same change."""

    type: Literal["run.cancelled"] = "run.cancelled"
    run_id: UUID


class TaskReady(_Event):
    """waiting → ready (dependencies done), or back to ready after a release or hand-back."""

    type: Literal["task.ready"] = "task.ready"
    task_id: UUID
    run_id: UUID


class TaskAssigned(_Event):
    """ready or stuck → assigned: a member was offered an attempt under a new epoch."""

    type: Literal["task.assigned"] = "task.assigned"
    task_id: UUID
    run_id: UUID
    attempt_id: UUID
    member_id: UUID
    epoch: int


class TaskBegun(_Event):
    """assigned → working: the agent's session is open and the work was prompted."""

    type: Literal["task.begun"] = "task.begun"
    task_id: UUID
    attempt_id: UUID


class TaskSubmitted(_Event):
    """working or held → in review: the attempt's result is stored."""

    type: Literal["task.submitted"] = "task.submitted"
    task_id: UUID
    attempt_id: UUID


class TaskReturned(_Event):
    """in review → ready, with reasons per acceptance line."""

    type: Literal["task.returned"] = "task.returned"
    task_id: UUID
    attempt_id: UUID
    reasons: tuple[str, ...]


class TaskDone(_Event):
    """in review → done: every acceptance line passed. Follows `task.submitted` of the same attempt."""

    type: Literal["task.done"] = "task.done"
    task_id: UUID
    attempt_id: UUID


class TaskTakenOver(_Event):
    """in hand → held by a person; from this epoch on the old attempt's writes are refused."""

    type: Literal["task.taken_over"] = "task.taken_over"
    task_id: UUID
    attempt_id: UUID
    member_id: UUID
    epoch: int
    superseded_id: UUID | None = None


class TaskHandedBack(_Event):
    """held → ready: the person gave the task back with a note; a new attempt follows."""

    type: Literal["task.handed_back"] = "task.handed_back"
    task_id: UUID
    member_id: UUID
    epoch: int


class TaskReleased(_Event):
    """assigned, working or stuck → ready, because the attempt ended without a result."""

    type: Literal["task.released"] = "task.released"
    task_id: UUID
    attempt_id: UUID | None
    reason: str
    epoch: int


class TaskStuck(_Event):
    """ready, in hand or in review → stuck: nobody can go on; says who must act."""

    type: Literal["task.stuck"] = "task.stuck"
    task_id: UUID
    reason: str


class TaskFailed(_Event):
    """open → failed."""

    type: Literal["task.failed"] = "task.failed"
    task_id: UUID
    reason: str


class TaskCancelled(_Event):
    """open → cancelled."""

    type: Literal["task.cancelled"] = "task.cancelled"
    task_id: UUID


class AttemptAcknowledged(_Event):
    """The agent answered the hand-back brief; work is prompted next."""

    type: Literal["attempt.acknowledged"] = "attempt.acknowledged"
    task_id: UUID
    attempt_id: UUID


class LateResultKept(_Event):
    """A result came under an epoch that is over: kept as evidence, not applied."""

    type: Literal["attempt.late_result_kept"] = "attempt.late_result_kept"
    task_id: UUID
    attempt_id: UUID


class StopUnconfirmed(_Event):
    """stop asked → unconfirmed: the agent did not answer the cancel within the grace."""

    type: Literal["attempt.stop_unconfirmed"] = "attempt.stop_unconfirmed"
    task_id: UUID
    attempt_id: UUID


class StepRecorded(_Event):
    """A tool call of an attempt began or ended; its details are loaded from the step."""

    type: Literal["step.recorded"] = "step.recorded"
    task_id: UUID
    attempt_id: UUID
    step_id: UUID
    status: str


class PlanTicked(_Event):
    """The agent's own plan inside an attempt changed."""

    type: Literal["attempt.plan_ticked"] = "attempt.plan_ticked"
    task_id: UUID
    attempt_id: UUID
    done: int
    total: int


class DraftSaved(_Event):
    """The holder of a task saved a version of the draft."""

    type: Literal["draft.saved"] = "draft.saved"
    task_id: UUID
    attempt_id: UUID
    version: int


class ApprovalRequested(_Event):
    """none → open: an attempt asks a person; its content has its own authorised address."""

    type: Literal["approval.requested"] = "approval.requested"
    approval_id: UUID
    task_id: UUID
    attempt_id: UUID


class ApprovalDecided(_Event):
    """open → decided, by the first valid answer."""

    type: Literal["approval.decided"] = "approval.decided"
    approval_id: UUID
    task_id: UUID
    kind: str


class ApprovalExpired(_Event):
    """open → expired: nobody answered in time; the agent was told a rejection."""

    type: Literal["approval.expired"] = "approval.expired"
    approval_id: UUID
    task_id: UUID


class ApprovalVoided(_Event):
    """open → void, by takeover, cancel or a new epoch."""

    type: Literal["approval.voided"] = "approval.voided"
    approval_id: UUID
    task_id: UUID


class ArtifactAdded(_Event):
    """A file was delivered: an input of a run, a result of a task, or the run's deliverable."""

    type: Literal["artifact.added"] = "artifact.added"
    artifact_id: UUID
    run_id: UUID
    task_id: UUID | None = None
    name: str
    kind: str


Event = Annotated[
    Union[
        WorkspaceCreated, WorkspaceRenamed, GoalSet, RulesSet,
        MemberJoined, MemberLeft, MemberRoleSet,
        AgentOnline, AgentOffline, AgentProfileSet, AgentRetired,
        MessagePosted,
        RunDrafted, RunPlanning, RunProposed, RunStarted, RunPaused, RunResumed,
        RunConsolidating, RunDone, RunFailed, RunCancelled,
        TaskReady, TaskAssigned, TaskBegun, TaskSubmitted, TaskReturned, TaskDone,
        TaskTakenOver, TaskHandedBack, TaskReleased, TaskStuck, TaskFailed, TaskCancelled,
        AttemptAcknowledged, LateResultKept, StopUnconfirmed, StepRecorded, PlanTicked, DraftSaved,
        ApprovalRequested, ApprovalDecided, ApprovalExpired, ApprovalVoided,
        ArtifactAdded,
    ],
    Field(discriminator="type"),
]  # fmt: skip

_ADAPTER: TypeAdapter[Any] = TypeAdapter(Event)

EVENTS: dict[str, type[_Event]] = {cls.model_fields["type"].default: cls for cls in _Event.__subclasses__()}


def parse_event(type_: str, payload: dict[str, Any]) -> Any:
    """The event of a journal entry; raises pydantic's ValidationError when it is none of ours."""
    return _ADAPTER.validate_python({"type": type_, **payload})


def payload_of(event: _Event) -> dict[str, Any]:
    """The JSON payload stored beside the type."""
    return event.model_dump(mode="json", exclude={"type"})


# The types that some reaction follows; a test holds this against `clawgroups.reactions`.
WAKING = frozenset(
    {
        "run.drafted",
        "run.planning",
        "run.started",
        "run.resumed",
        "run.consolidating",
        "run.proposed",
        "task.handed_back",
        "agent.profile_set",
        "task.ready",
        "task.submitted",
        "task.returned",
        "task.released",
        "task.done",
        "task.failed",
        "task.cancelled",
        "member.joined",
        "agent.online",
    }
)
