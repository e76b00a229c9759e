"""Facts about tasks, attempts and files; part of the vocabulary in `core.events`."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from clawgroups.core.event_base import JournalEvent


class TaskReady(JournalEvent):
    """waiting → ready (dependencies done), or back to ready after a release or hand-back."""

    type: Literal["task.ready"] = "task.ready"
    task_id: UUID
    run_id: UUID


class TaskAssigned(JournalEvent):
    """ready or stuck → assigned: a member was offered an attempt under a new epoch."""

    type: Literal["task.assigned"] = "task.assigned"
    task_id: UUID
    run_id: UUID
    attempt_id: UUID
    member_id: UUID
    epoch: int


class TaskBegun(JournalEvent):
    """assigned → working: the agent's session is open and the work was prompted."""

    type: Literal["task.begun"] = "task.begun"
    task_id: UUID
    attempt_id: UUID


class TaskSubmitted(JournalEvent):
    """working or held → in review: the attempt's result is stored."""

    type: Literal["task.submitted"] = "task.submitted"
    task_id: UUID
    attempt_id: UUID


class TaskReturned(JournalEvent):
    """in review → ready, with reasons per acceptance line."""

    type: Literal["task.returned"] = "task.returned"
    task_id: UUID
    attempt_id: UUID
    reasons: tuple[str, ...]


class TaskDone(JournalEvent):
    """in review → done: every acceptance line passed. Follows `task.submitted` of the same attempt."""

    type: Literal["task.done"] = "task.done"
    task_id: UUID
    attempt_id: UUID


class TaskTakenOver(JournalEvent):
    """in hand → held by a person; from this epoch on the old attempt's writes are refused.

    After `task.returned`: a person's own result went back to that person. `how`: taken, forced (from another holder,
    by an admin), offered (it had lain idle), passed (its holder gave it), accepted (they were asked for it).
    `reason`: why an admin forced it.
    """

    type: Literal["task.taken_over"] = "task.taken_over"
    task_id: UUID
    attempt_id: UUID
    member_id: UUID
    epoch: int
    superseded_id: UUID | None = None
    how: str = "taken"
    # Whose hands it was in, where a person held it.
    former_id: UUID | None = None
    reason: str = ""


class TaskHandedBack(JournalEvent):
    """held → ready: the person gave the task back with a note; a new attempt follows.

    `to_id`: whom it is for, where it was given to a certain member.
    """

    type: Literal["task.handed_back"] = "task.handed_back"
    task_id: UUID
    member_id: UUID
    epoch: int
    to_id: UUID | None = None


class TaskReleased(JournalEvent):
    """assigned, working or stuck → ready, because the attempt ended without a result.

    `failure` is its kind, of the closed list in `core.failures`.
    """

    type: Literal["task.released"] = "task.released"
    task_id: UUID
    attempt_id: UUID | None
    reason: str
    epoch: int
    failure: str = ""


class TaskStuck(JournalEvent):
    """ready, in hand or in review → stuck: nobody can go on; says who must act. Its last attempt, if any, is over."""

    type: Literal["task.stuck"] = "task.stuck"
    task_id: UUID
    reason: str
    epoch: int | None = None


class TaskParked(JournalEvent):
    """No move: a ready task or one in review waits for somebody outside, or a waiting one for a task that is
    stuck; says for whom. An empty reason: no longer."""

    type: Literal["task.parked"] = "task.parked"
    task_id: UUID
    reason: str


class TaskFailed(JournalEvent):
    """open → failed."""

    type: Literal["task.failed"] = "task.failed"
    task_id: UUID
    reason: str


class TaskCancelled(JournalEvent):
    """open → cancelled."""

    type: Literal["task.cancelled"] = "task.cancelled"
    task_id: UUID


class AttemptAcknowledged(JournalEvent):
    """The agent answered the hand-back brief; work is prompted next."""

    type: Literal["attempt.acknowledged"] = "attempt.acknowledged"
    task_id: UUID
    attempt_id: UUID


class SessionOptionSet(JournalEvent):
    """Somebody chose one of the options of an agent's session: its model, its mode, how much it thinks."""

    type: Literal["session.option_set"] = "session.option_set"
    task_id: UUID
    attempt_id: UUID
    option: str
    value: str


class LateResultKept(JournalEvent):
    """A result came under an epoch that is over: kept as evidence, not applied."""

    type: Literal["attempt.late_result_kept"] = "attempt.late_result_kept"
    task_id: UUID
    attempt_id: UUID


class LateResultAdopted(JournalEvent):
    """ready, stuck or in hand → in review: a late result was taken up as a new attempt under a new epoch."""

    type: Literal["task.late_result_adopted"] = "task.late_result_adopted"
    task_id: UUID
    attempt_id: UUID
    source_id: UUID
    member_id: UUID
    epoch: int


class TaskRegenerated(JournalEvent):
    """ready or stuck → ready: after its last try a task was written anew, and may be tried again."""

    type: Literal["task.regenerated"] = "task.regenerated"
    task_id: UUID
    run_id: UUID
    epoch: int


class TaskSplit(JournalEvent):
    """ready or stuck → waiting: a task was cut into parts, which it waits for and then puts together."""

    type: Literal["task.split"] = "task.split"
    task_id: UUID
    run_id: UUID
    epoch: int
    parts: tuple[UUID, ...]


class ContactLost(JournalEvent):
    """contact live → lost: the agent's link is silent; within the grace a reconnect goes on with the attempt."""

    type: Literal["attempt.contact_lost"] = "attempt.contact_lost"
    task_id: UUID
    attempt_id: UUID


class ContactRestored(JournalEvent):
    """contact lost → live: the agent came back within the grace, and the same attempt goes on."""

    type: Literal["attempt.contact_restored"] = "attempt.contact_restored"
    task_id: UUID
    attempt_id: UUID


class AttemptQuiet(JournalEvent):
    """No move: an attempt has shown no progress for the soft stall; says when it is taken back."""

    type: Literal["attempt.quiet"] = "attempt.quiet"
    task_id: UUID
    attempt_id: UUID
    reason: str


class AttemptStirred(JournalEvent):
    """No move: an attempt that was quiet shows progress again."""

    type: Literal["attempt.stirred"] = "attempt.stirred"
    task_id: UUID
    attempt_id: UUID


class StopUnconfirmed(JournalEvent):
    """stop asked → unconfirmed: the agent did not answer the cancel within the grace."""

    type: Literal["attempt.stop_unconfirmed"] = "attempt.stop_unconfirmed"
    task_id: UUID
    attempt_id: UUID


class StopConfirmed(JournalEvent):
    """stop asked or unconfirmed → done: the turn that was to be stopped has ended, or its program is gone."""

    type: Literal["attempt.stop_confirmed"] = "attempt.stop_confirmed"
    task_id: UUID
    attempt_id: UUID


class StepRecorded(JournalEvent):
    """A tool call of an attempt began or ended; its details are loaded from the step."""

    type: Literal["step.recorded"] = "step.recorded"
    task_id: UUID
    attempt_id: UUID
    step_id: UUID
    status: str


class PlanTicked(JournalEvent):
    """The agent's own plan inside an attempt changed."""

    type: Literal["attempt.plan_ticked"] = "attempt.plan_ticked"
    task_id: UUID
    attempt_id: UUID
    done: int
    total: int


class ProgressReported(JournalEvent):
    """No move: an agent says how far it is, in a number (0 to 100), in words, or both."""

    type: Literal["attempt.progress_reported"] = "attempt.progress_reported"
    task_id: UUID
    attempt_id: UUID
    percent: int | None = None
    note: str = ""


class DraftSaved(JournalEvent):
    """The holder of a task saved a version of the draft."""

    type: Literal["draft.saved"] = "draft.saved"
    task_id: UUID
    attempt_id: UUID
    version: int


class ArtifactAdded(JournalEvent):
    """A file was delivered: an input of a run, a result of a task, or the run's deliverable."""

    type: Literal["artifact.added"] = "artifact.added"
    artifact_id: UUID
    run_id: UUID
    task_id: UUID | None = None
    name: str
    kind: str
