"""Asking the agent's live session, as the holder of a task; what waits, what runs, and the answers that are offered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from clawgroups.core.errors import Invalid, NotFound
from clawgroups.core.side_by_side import Row, side_by_side
from clawgroups.fragments.tasks import TaskNow
from clawgroups.models import Attempt, Draft
from clawgroups.services import drafts, steering, texts
from clawgroups.services.hands import held
from clawgroups.services.perform import perform
from clawgroups.services.steering import Asked, Partner
from clawgroups.web.drafts import editor_text
from clawgroups.web.http import actor_of, operation_of
from clawgroups.web.task_doors import changed, fresh, task_of

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of something that was asked, with the text that is offered, if there is one.

    `rows`: beside the draft; None where they are too long to compare. `is_in`: the draft holds these words already.
    """

    asked: Asked
    text: str = ""
    rows: list[Row] | None = None
    is_in: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """All of it: whom one can ask (or why nobody), what runs, what waits, the last answers."""

    partner: Partner
    running: Asked | None = None
    queued: tuple[Asked, ...] = ()
    answers: tuple[Answer, ...] = ()


def shown(now: TaskNow) -> dict[str, Any]:
    """What asking the agent needs of a task's page."""
    task = now.task
    return {"steer": _box(now, task.attempt) if task.state == "held" and task.attempt is not None else None}


def _box(now: TaskNow, attempt: Attempt) -> Box:
    asked = steering.asked_in(attempt)
    order = [command.pk for command in steering.queued(attempt)]
    waiting = {one.command.pk: one for one in asked if one.state == "queued"}
    over = [one for one in asked if one.state in ("over", "cut_off")][:SHOWN]
    wanted = [one.draft for one in over if one.draft is not None]
    offers = {row.version: row.text for row in Draft.objects.filter(attempt=attempt, version__in=wanted)}
    newest = texts.newest(attempt)
    stands = newest.text if newest is not None else ""
    return Box(
        steering.partner(now.task),
        next((one for one in asked if one.state == "running"), None),
        tuple(waiting[pk] for pk in order if pk in waiting),
        tuple(_answer(one, offers.get(one.draft or 0, ""), stands) for one in over),
    )


def _answer(asked: Asked, text: str, stands: str) -> Answer:
    if not text:
        return Answer(asked)
    return Answer(asked, text, side_by_side(stands, text), text.strip() in stands)


@require_POST
def steer_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Ask it something."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.steer"))
    text, when = (str(request.POST.get(key, "")) for key in ("text", "when"))
    operation = operation_of(request)
    perform(steering.steer, task_id, text=text, when=when or steering.NOW, actor=actor, operation=operation)
    return changed(request, workspace_id, task_id)


@require_POST
def withdraw_steer(request: HttpRequest, workspace_id: UUID, task_id: UUID, command_id: UUID) -> HttpResponse:
    """Take back what waits."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.steer"))
    perform(steering.withdraw_steer, task_id, command_id, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def stop_steer(request: HttpRequest, workspace_id: UUID, task_id: UUID, command_id: UUID) -> HttpResponse:
    """Stop what runs."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.steer"))
    perform(steering.stop_steer, task_id, command_id, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def take_answer(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Save an offered answer as the next version of the draft: in its place, or below it."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    _, attempt = held(task_id, actor)
    offered = _offered(attempt, request.POST.get("version", ""))
    typed, newest = editor_text(request), texts.newest(attempt)
    base, stands = (newest.version, newest.text) if newest is not None else (None, "")
    if typed is not None and typed != stands:
        # What was typed and not saved yet is a version of its own: nothing of it is lost.
        base = perform(drafts.save_draft, task_id, text=typed, base=base, actor=actor).answer["version"]
        stands = typed
    below = request.POST.get("how") == "below" and stands.strip()
    text = f"{stands.rstrip()}\n\n{offered.text}" if below else offered.text
    perform(drafts.save_draft, task_id, text=text, base=base, actor=actor)
    return changed(request, workspace_id, task_id)


def _offered(attempt: Attempt, version: str) -> Draft:
    if not version.isdigit():
        raise Invalid("Choose an answer.", field="version")
    found = Draft.objects.filter(attempt=attempt, kind="offered", version=int(version[:9])).first()
    if found is None:
        raise NotFound("There is no such answer.")
    return found
