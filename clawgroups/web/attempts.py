"""The tries of a task: one of them page by page, and two of them beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from clawgroups.core.errors import NotFound
from clawgroups.core.numbered_diff import Numbered, numbered
from clawgroups.fragments.tasks import AcceptanceLine, lines_of, now_of
from clawgroups.fragments.transcript import Try, try_of
from clawgroups.models import Artifact, Attempt, Task
from clawgroups.queries import newest_files
from clawgroups.services.texts import text_so_far
from clawgroups.web.http import Viewer, actor_of, is_htmx, page
from clawgroups.web.task_doors import task_of
from clawgroups.web.workspaces import follows

MOST_COMPARED = 400_000  # characters of either text


@dataclass(frozen=True, slots=True)
class Side:
    """One of two tries: what came of it, how it was judged, what it delivered."""

    attempt: Attempt
    text: str
    lines: tuple[AcceptanceLine, ...]
    files: list[Artifact]
    steps: int
    is_draft: bool

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return Try(self.attempt).seconds

    @property
    def passed(self) -> int:
        """How many acceptance lines it passed."""
        return sum(1 for line in self.lines if line.finding == "passed")


@require_safe
def attempt(request: HttpRequest, workspace_id: UUID, task_id: UUID, attempt_id: UUID) -> HttpResponse:
    """One try: to a script its newest entries, to be put below its line; else a page with all of them, in pieces."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.view")
    now = now_of(found.pk)
    wanted = next((one for one in now.attempts if one.pk == attempt_id), None)
    if wanted is None:
        raise NotFound("This task has no such try.")
    before = _number(request, "before")
    context: dict[str, Any] = {"task": found, "now": now, "attempt": wanted, "viewer": Viewer(actor, workspace_id)}
    context["try"] = try_of(wanted, before)
    if is_htmx(request):
        return render(request, "tasks/_try_body.html", context)
    return page(request, "tasks/attempt.html", {"follows": follows([found.workspace]), "before": before, **context})


@require_safe
def compare_attempts(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Two tries beside each other; without a choice the last two."""
    found = task_of(actor_of(request), workspace_id, task_id, "task.view")
    now = now_of(found.pk)
    first, second = _chosen(now.attempts, _number(request, "a"), _number(request, "b"))
    context: dict[str, Any] = {"task": found, "now": now, "first": None, "follows": follows([found.workspace])}
    if first is not None and second is not None:
        sides = _side(found, first), _side(found, second)
        context |= {"first": sides[0], "second": sides[1], "sides": sides, "rows": _rows(*sides)}
        context["diff"] = _difference(sides[0].text, sides[1].text)
    return page(request, "tasks/compare.html", context)


def _chosen(attempts: Sequence[Attempt], a: int | None, b: int | None) -> tuple[Attempt | None, Attempt | None]:
    by_number = {one.number: one for one in attempts}
    if (a is not None and a not in by_number) or (b is not None and b not in by_number):
        raise NotFound("This task has no such try.")
    last = list(by_number)[-2:]
    if len(last) < 2:
        return None, None
    return by_number[last[0] if a is None else a], by_number[last[1] if b is None else b]


def _side(task: Task, attempt: Attempt) -> Side:
    text = attempt.result or attempt.late_result
    is_draft = not text
    return Side(
        attempt,
        text or text_so_far(attempt),
        lines_of(task, [attempt]),
        newest_files(attempt, "result", "late", "draft"),
        attempt.steps.count(),
        is_draft,
    )


def _rows(first: Side, second: Side) -> list[tuple[AcceptanceLine, AcceptanceLine]]:
    """Each acceptance line, with what was found for either."""
    return list(zip(first.lines, second.lines, strict=True))


def _difference(before: str, after: str) -> Numbered | None:
    return numbered(before, after) if len(before) + len(after) <= MOST_COMPARED else None


def _number(request: HttpRequest, name: str) -> int | None:
    said = request.GET.get(name, "")
    return int(said) if said.isdecimal() and len(said) < 7 else None
