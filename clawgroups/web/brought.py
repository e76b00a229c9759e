"""What an agent had when its task was taken over: plan, files, calls under way, and what it still said afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from clawgroups.fragments.tasks import now_of
from clawgroups.models import Artifact, Attempt, Part, Step
from clawgroups.queries import newest_files
from clawgroups.web.http import Viewer, actor_of
from clawgroups.web.task_doors import task_of

MOST = 200


@dataclass(frozen=True, slots=True)
class Brought:
    """An agent's try that a person goes on from."""

    attempt: Attempt
    calls: tuple[Step, ...]
    done: int
    files: tuple[Artifact, ...]
    after: tuple[Part, ...]
    thoughts: tuple[Part, ...]

    @property
    def is_stopping(self) -> bool:
        """Whether its turn may still say something."""
        return self.attempt.stop in ("asked", "unconfirmed")

    @property
    def was_in_review(self) -> bool:
        """Whether it had handed in a result already."""
        return self.attempt.submitted_at is not None


def brought_to(held: Attempt, attempts: Sequence[Attempt]) -> Brought | None:
    """What the last agent before this attempt of a person had; None where none had been at it."""
    former = [one for one in attempts if one.number < held.number and one.member.agent_id is not None]
    if not former:
        return None
    attempt = former[-1]
    steps = Step.objects.filter(attempt=attempt).order_by("ordinal")
    parts = Part.objects.filter(attempt=attempt).order_by("-ordinal")
    after = parts.filter(after_stop=True, kind__in=("text", "notice"))[:MOST]
    return Brought(
        attempt,
        tuple(steps.filter(status__in=("pending", "in_progress"))[:MOST]),
        steps.filter(status__in=("completed", "failed")).count(),
        tuple(newest_files(attempt, "result")),
        tuple(reversed(after)),
        tuple(reversed(parts.filter(kind="thought", after_stop=False)[:MOST])),
    )


@require_safe
def task_brought(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """What the agent had, and what it says after the stop; asked for until its turn is over."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.view")
    now = now_of(found.pk)
    seat = Viewer(actor, workspace_id).seat
    mine = now.task.attempt if seat is not None and found.holder_id == seat.pk else None
    brought = brought_to(mine, now.attempts) if mine is not None else None
    return render(request, "hands/_brought.html", {"task": now.task, "brought": brought})
