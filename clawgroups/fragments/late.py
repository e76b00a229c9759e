"""What came of a try after it was over: a late result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clawgroups.core.acceptance import Finding
from clawgroups.core.lifecycle import TaskState
from clawgroups.fragments.stops import Overrun
from clawgroups.models import Artifact, Attempt, Task
from clawgroups.queries import late_files

MAY_BE_TAKEN_UP = (TaskState.READY, TaskState.ASSIGNED, TaskState.WORKING, TaskState.STUCK)


@dataclass(frozen=True, slots=True)
class LateResult:
    """A result that came after its try was over, as evidence beside the task."""

    attempt: Attempt
    files: tuple[Artifact, ...]
    overrun: Overrun | None
    may_be_taken_up: bool
    failed: tuple[dict[str, Any], ...] = ()

    @property
    def dialog(self) -> str:
        """The name of the element that asks before it is taken up."""
        return f"adopt-{self.attempt.pk}"

    @property
    def after(self) -> float:
        """Seconds between the end of the try and its result."""
        at, ended = self.attempt.late_at, self.attempt.ended_at
        return 0.0 if at is None or ended is None else max(0.0, (at - ended).total_seconds())


def late_of(task: Task, attempts: Sequence[Attempt], overruns: dict[UUID, Overrun]) -> tuple[LateResult, ...]:
    """The late results of a task that were not taken up, the newest first."""
    taken_up = {one.adopted_from_id for one in attempts}
    waiting = [one for one in attempts if one.late_at is not None and one.pk not in taken_up]
    may = task.state in MAY_BE_TAKEN_UP and task.run.state == "running"
    return tuple(
        LateResult(one, tuple(late_files(one)), overruns.get(one.pk), may, _failed(one))
        for one in sorted(waiting, key=lambda one: one.late_at or one.offered_at, reverse=True)
    )


def _failed(attempt: Attempt) -> tuple[dict[str, Any], ...]:
    """Lines that the coordinator found it does not fulfil; only of an attempt that was never in review."""
    if attempt.submitted_at is not None:
        return ()
    return tuple(v for v in attempt.verdicts if isinstance(v, dict) and v.get("finding") == Finding.FAILED)
