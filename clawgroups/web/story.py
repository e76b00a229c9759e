"""The history of a task: on its page, and in full with what changed in the draft."""

from __future__ import annotations

from itertools import islice
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from clawgroups.core.errors import NotFound
from clawgroups.fragments.story import story_of
from clawgroups.models import Draft, Task
from clawgroups.permissions import get_attempt
from clawgroups.services.briefs import changed_by
from clawgroups.web.http import Viewer, actor_of, is_htmx, page, viewer_of
from clawgroups.web.task_doors import task_of
from clawgroups.web.workspaces import follows

LINES = 2_000
KINDS = {"+": "added", "-": "removed", "@": "place"}


def shown(task: Task, viewer: Viewer) -> dict[str, Any]:
    """The story for who looks at the task's page."""
    return {"story": story_of(task, viewer.seat.role if viewer.seat else "")}


@require_safe
def task_story(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Who held it when, and everything that changed; to a script the last lines, for the task's page."""
    found = task_of(actor_of(request), workspace_id, task_id, "task.view")
    context = {"task": found, "version": found.workspace.head, **shown(found, viewer_of(request, workspace_id))}
    if is_htmx(request):
        return render(request, "hands/_story.html", context)
    return page(request, "hands/story.html", {"follows": follows([found.workspace]), **context})


@require_safe
def draft_diff(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """What was changed between two versions of a draft."""
    attempt = get_attempt(actor_of(request), attempt_id, "task.view")
    first, last = (_number(request, name) for name in ("from", "to"))
    texts = dict(Draft.objects.filter(attempt=attempt, version__in=(first, last)).values_list("version", "text"))
    if not {first, last} <= texts.keys():
        raise NotFound("There is no such version of this draft.")
    # Without the two lines that name the texts.
    changed = islice(changed_by(texts[first], texts[last]).splitlines(), 2, LINES)
    lines = [(KINDS.get(line[:1], "same"), line) for line in changed]
    context = {"lines": lines, "first": first, "last": last, "task": attempt.task}
    if is_htmx(request):
        return render(request, "hands/_diff.html", context)
    return page(request, "hands/diff.html", context)


def _number(request: HttpRequest, name: str) -> int:
    said = request.GET.get(name, "1")
    return int(said) if said.isdecimal() and len(said) < 7 else 0
