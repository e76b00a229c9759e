"""What a step of a transcript shows: its content by kind, what it was given, and whole texts at addresses of their own.

Words of a task are for everybody in the workspace; thoughts and the details of tool calls for its team alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from clawgroups.core.errors import NotFound
from clawgroups.core.numbered_diff import Numbered, numbered
from clawgroups.core.pictures import picture_type
from clawgroups.core.tool_content import Block, Kept, blocks_of, places_of, plain
from clawgroups.models import Part, Step
from clawgroups.permissions import OF_THE_TEAM, get_attempt
from clawgroups.services.tool_output import bytes_of, image_of
from clawgroups.web.http import Viewer, actor_of, is_htmx, page
from clawgroups.web.tags import shown_json

MOST_DIFF = 600_000  # bytes of one side of a difference
MOST_COMPARED = 2_000_000  # bytes of all that a page compares
MOST_TEXT = 12_000  # characters of an output that are shown at first
SIDES = {"now": "kept", "before": "kept_before"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A block as it is shown. `text`: as much as is shown at first; `size`: of the whole, where there is more."""

    block: Block
    text: str = ""
    size: int = 0
    diff: Numbered | None = None
    cut: bool = False


@require_safe
def step_detail(request: HttpRequest, attempt_id: UUID, step_id: UUID) -> HttpResponse:
    """What came of a step; without a script as a page of its own."""
    step, viewer = _step(request, attempt_id, step_id, "task.view")
    context: dict[str, Any] = {"step": step, "viewer": viewer, "shown": []}
    if viewer.can["approval_view"]:
        detail = step.detail
        context |= {
            "shown": list(_shown(blocks_of(detail, step.kind))),
            "places": places_of(detail),
            "has_raw": bool(detail.get("raw_input") or detail.get("raw_output") or detail.get("cut")),
        }
    if is_htmx(request):
        return render(request, "tasks/_step_detail.html", context)
    return page(request, "tasks/step.html", {**context, "task": step.attempt.task})


@require_safe
def step_raw(request: HttpRequest, attempt_id: UUID, step_id: UUID) -> HttpResponse:
    """What a step was given and gave back, as the agent sent it."""
    step, viewer = _step(request, attempt_id, step_id, "approval.view")
    names = {"raw_input": "input", "raw_output": "output", "cut": "cut"}
    parts = [(word, plain(shown_json(step.detail[key]))) for key, word in names.items() if step.detail.get(key)]
    context = {"step": step, "viewer": viewer, "parts": parts}
    if is_htmx(request):
        return render(request, "tasks/_step_raw.html", context)
    return page(request, "tasks/step.html", {**context, "task": step.attempt.task, "raw": True})


@require_safe
def step_file(request: HttpRequest, attempt_id: UUID, step_id: UUID, number: int, side: str) -> HttpResponseBase:
    """A picture of a step, or all of a text of which a part is shown."""
    step, _ = _step(request, attempt_id, step_id, "approval.view")
    block = next((one for one in blocks_of(step.detail, step.kind) if one.number == number), None)
    kept: Kept | None = getattr(block, SIDES.get(side, ""), None)
    if block is not None and block.kind == "image":
        return _picture(image_of(step.detail, number) if kept is None else bytes_of(kept, kept.size))
    whole = None if kept is None else bytes_of(kept, kept.size)
    if whole is None:
        raise NotFound("There is nothing more of this step.")
    return _text(whole, f"step-{step.ordinal}-{side}.txt")


@require_safe
def part_text(request: HttpRequest, attempt_id: UUID, part_id: UUID) -> HttpResponse:
    """All of a message; of a thought, or of what was decided on the agent's machine, for the team only."""
    attempt = get_attempt(actor_of(request), attempt_id, "task.view")
    part = Part.objects.filter(pk=part_id, attempt=attempt).first()
    if part is None:
        raise NotFound("There is no such message.")
    if part.kind in OF_THE_TEAM:
        get_attempt(actor_of(request), attempt_id, "approval.view")
    return _text(part.text.encode("utf-8", "replace"), f"message-{part.ordinal}.txt")


def _step(request: HttpRequest, attempt_id: UUID, step_id: UUID, action: str) -> tuple[Step, Viewer]:
    actor = actor_of(request)
    attempt = get_attempt(actor, attempt_id, action)
    step = Step.objects.filter(pk=step_id, attempt=attempt).select_related("attempt__task__workspace").first()
    if step is None:
        raise NotFound("There is no such step.")
    return step, Viewer(actor, attempt.workspace_id)


def _shown(blocks: Iterable[Block]) -> Iterator[Shown]:
    left = MOST_COMPARED
    for block in blocks:
        if block.kind == "diff":
            old, was_cut = _whole(block.before or "", block.kept_before, min(MOST_DIFF, left))
            new, is_cut = _whole(block.text, block.kept, min(MOST_DIFF, left))
            left = max(left - len(old) - len(new), 0)
            yield Shown(block, diff=numbered(old, new), cut=was_cut or is_cut)
        else:
            size = block.kept.size if block.kept is not None else 0
            yield Shown(block, block.text[:MOST_TEXT], size or (len(block.text) if len(block.text) > MOST_TEXT else 0))


def _whole(text: str, kept: Kept | None, most: int) -> tuple[str, bool]:
    """A side of a difference as far as it is compared, and whether it goes on."""
    found = bytes_of(kept, most)
    if kept is None or found is None:
        return text, kept is not None
    return found.decode("utf-8", "replace"), kept.size > len(found)


def _picture(data: bytes | None) -> HttpResponse:
    """A picture, if it is one of those that a browser only draws."""
    named = picture_type((data or b"")[:16])
    if data is None or named is None:
        raise NotFound("This is not a picture that is shown.")
    response = HttpResponse(data, content_type=named)
    response["Content-Disposition"] = "inline"
    return _guarded(response)


def _text(data: bytes, name: str) -> HttpResponse:
    response = HttpResponse(data, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return _guarded(response)


def _guarded(response: HttpResponse) -> HttpResponse:
    """Harmless, whatever it is: not sniffed, not run, kept by nobody but the browser that asked."""
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, max-age=3600"
    return response
