"""What a task delivered, who made it, how it was checked: one record, for a page, a script and a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clawgroups.core.errors import NotFound
from clawgroups.core.lifecycle import TaskState
from clawgroups.fragments.tasks import AcceptanceLine, TaskNow, lines_of, now_of
from clawgroups.models import Artifact, Attempt, Member, Task
from clawgroups.queries import newest_files

FORMAT = "clawgroups.receipt/1"
OPEN_TO = (TaskState.IN_REVIEW, TaskState.DONE)


@dataclass(frozen=True, slots=True)
class TryLine:
    """A try as a receipt names it."""

    attempt: Attempt
    seconds: float | None
    steps: int
    by_hand: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """The delivery of a task: the accepted result, or the one that is in review."""

    task: Task
    delivered: Attempt
    files: tuple[Artifact, ...]
    inputs: tuple[Artifact, ...]
    lines: tuple[AcceptanceLine, ...]
    tries: tuple[TryLine, ...]

    @property
    def is_final(self) -> bool:
        return bool(self.task.state == TaskState.DONE)

    @property
    def result_sha256(self) -> str:
        """The hash of the result's text, as UTF-8."""
        return hashlib.sha256(self.delivered.result.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def judges(self) -> tuple[str, ...]:
        """Who judged its lines."""
        return tuple(dict.fromkeys(line.by for line in self.lines if line.by))

    @property
    def takeovers(self) -> int:
        """How often a person took it into their hands."""
        return sum(1 for one in self.tries if one.by_hand)

    @property
    def begun_at(self) -> datetime:
        """When somebody first began with it."""
        return min(one.attempt.begun_at or one.attempt.offered_at for one in self.tries)

    @property
    def seconds(self) -> float | None:
        """From the beginning to the end."""
        return None if self.task.ended_at is None else (self.task.ended_at - self.begun_at).total_seconds()

    def as_json(self) -> dict[str, Any]:
        task, made = self.task, self.delivered
        workspace, run = task.workspace, task.run
        return {
            "format": FORMAT,
            "state": "done" if self.is_final else "in_review",
            "workspace": {"id": str(workspace.pk), "name": workspace.name},
            "run": {"id": str(run.pk), "goal": run.goal},
            "task": {
                "id": str(task.pk),
                "key": task.key,
                "title": task.title,
                "instructions": task.instructions,
                "created_at": _moment(task.created_at),
                "begun_at": _moment(self.begun_at),
                "submitted_at": _moment(made.submitted_at),
                "ended_at": _moment(task.ended_at),
                "seconds": self.seconds,
            },
            "result": {"text": made.result, "sha256": self.result_sha256, "attempt": made.number},
            "files": [_file(one) for one in self.files],
            "inputs": [_file(one) for one in self.inputs],
            "checks": [
                {"line": one.line, "words": one.text, "finding": one.finding, "reason": one.reason, "by": one.by}
                for one in self.lines
            ],
            "judges": list(self.judges),
            "judged_at": _moment(made.ended_at),
            "takeovers": self.takeovers,
            "attempts": [_try(one) for one in self.tries],
        }


def has_receipt(task: Task) -> bool:
    """Whether there is something that was delivered."""
    return task.state in OPEN_TO


def receipt_of(task: Task, now: TaskNow | None = None) -> Receipt:
    """The receipt of a task. Raises `NotFound` until something was delivered."""
    now = now or now_of(task.pk)
    wanted = "accepted" if task.state == TaskState.DONE else "submitted"
    delivered = next((one for one in reversed(now.attempts) if one.state == wanted), None)
    if not has_receipt(task) or delivered is None:
        raise NotFound("There is no receipt: nothing of this task was delivered yet.", code="no_receipt")
    row = Task.objects.select_related("workspace", "run").get(pk=task.pk)
    return Receipt(
        row,
        delivered,
        tuple(newest_files(delivered, "result", "deliverable")),
        now.inputs,
        lines_of(row, [delivered]),
        tuple(_line(one) for one in now.attempts),
    )


def _line(attempt: Attempt) -> TryLine:
    begun = attempt.begun_at or attempt.offered_at
    seconds = (attempt.ended_at - begun).total_seconds() if attempt.ended_at is not None else None
    return TryLine(attempt, seconds, attempt.steps.count(), attempt.member.agent_id is None)


def _try(one: TryLine) -> dict[str, Any]:
    attempt = one.attempt
    return {
        "number": attempt.number,
        "by": _maker(attempt.member),
        "state": attempt.state,
        "reason": attempt.reason,
        "offered_at": _moment(attempt.offered_at),
        "begun_at": _moment(attempt.begun_at),
        "submitted_at": _moment(attempt.submitted_at),
        "ended_at": _moment(attempt.ended_at),
        "seconds": one.seconds,
        "steps": one.steps,
    }


def _maker(member: Member) -> dict[str, Any]:
    agent = member.agent
    if agent is None:
        return {"kind": "person", "name": member.name}
    return {
        "kind": "agent",
        "name": member.name,
        "handle": agent.handle,
        "model": agent.model,
        "version": agent.version or str(agent.announced.get("version", "")),
    }


def _file(row: Artifact) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "revision": row.revision,
        "size": row.size,
        "sha256": row.sha256,
        "content_type": row.content_type,
        "by": str(row.actor.get("name", "")),
        "created_at": _moment(row.created_at),
        "url": f"/api/v1/artifacts/{row.pk}/content",
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
