"""What came of a try after it was over: a late result, and for how long it went on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, Q

from agents.protocol import version
from clawgroups.core.acceptance import Finding
from clawgroups.core.lifecycle import TaskState
from clawgroups.models import Artifact, Attempt, Command, Part, Task
from clawgroups.queries import late_files

# How `core.transcript` tells of a tool call after the end of an attempt.
_STEP_ENDED = re.compile(r": (?:completed|failed)$", re.MULTILINE)
MAY_BE_TAKEN_UP = (TaskState.READY, TaskState.ASSIGNED, TaskState.WORKING, TaskState.STUCK)


@dataclass(frozen=True, slots=True)
class Overrun:
    """How an attempt went on after it was asked to stop; `until` is None while it still does."""

    since: datetime
    until: datetime | None
    steps: int = 0

    @property
    def seconds(self) -> float:
        """How long, once it has ended."""
        return 0.0 if self.until is None else max(0.0, (self.until - self.since).total_seconds())

    @property
    def is_worth_telling(self) -> bool:
        """Stopping takes a moment; more than that is spent against somebody's will."""
        return self.until is None or self.seconds >= 1 or self.steps > 0


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


def overruns_of(attempts: Iterable[Attempt]) -> dict[UUID, Overrun]:
    """The attempts that were asked to stop, and how they went on from there."""
    over = [one.pk for one in attempts if one.ended_at is not None]
    asked = _moments(Q(attempt__in=over, purpose="cancel"), Min("created_at"))
    if not asked:
        return {}
    ended = _moments(Q(attempt__in=asked, method=version.SESSION_PROMPT, answered_at__isnull=False), Max("answered_at"))
    running = Q(attempt__in=asked, method=version.SESSION_PROMPT, state="sent")
    going_on = set(Command.objects.filter(running).values_list("attempt_id", flat=True))
    steps: dict[UUID, int] = {}
    for pk, text in Part.objects.filter(attempt__in=asked, kind="notice", after_stop=True).values_list(
        "attempt_id", "text"
    ):
        steps[pk] = steps.get(pk, 0) + len(_STEP_ENDED.findall(text))
    return {
        pk: Overrun(since, None if pk in going_on else ended.get(pk, since), steps.get(pk, 0))
        for pk, since in asked.items()
    }


def _moments(which: Q, moment: Min | Max) -> dict[UUID, datetime]:
    rows = Command.objects.filter(which).order_by().values("attempt_id").annotate(moment=moment)
    return dict(rows.values_list("attempt_id", "moment"))


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
