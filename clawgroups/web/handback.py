"""Handing on a task that one holds: to an agent or a person, what they will be told, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clawgroups.coordinator import handing
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Conflict
from clawgroups.fragments import task_hint
from clawgroups.fragments.handovers import handed_of, question_of, team_of
from clawgroups.fragments.tasks import TaskNow
from clawgroups.models import Attempt, Member, Task
from clawgroups.queries import asked_now
from clawgroups.services import asked_for, control, watching
from clawgroups.services.asking import load_of
from clawgroups.services.perform import perform
from clawgroups.web.drafts import editor_text, or_kept, save_typed
from clawgroups.web.errors import toast
from clawgroups.web.http import Viewer, actor_of, is_htmx, operation_of, page
from clawgroups.web.task_doors import changed, epoch_of, fresh, member_of, task_of

# Conflicts that a second press, with more known, may get past.
WITH_ANYWAY = ("nobody_to_hand_to", "cannot_take_it", "at_capacity", "lacks_skill")


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody to whom a task may be given, and what speaks against it."""

    pk: UUID
    name: str
    why: str = ""


def shown(now: TaskNow, viewer: Viewer) -> dict[str, Any]:
    """What giving away, and being asked, need of a task's page."""
    task, seat, at = now.task, viewer.seat, timezone.now()
    said: dict[str, Any] = {"giver": _giver(now.attempts), "handed": handed_of(task, now.attempts, at)}
    said["way"] = task.brief.get("given") or []
    if seat is None:
        return said
    if asked_now(task, at) == seat.pk and seat.user_id is not None:
        team = team_of([task.workspace_id]).get(task.workspace_id, [])
        busy = load_of([seat.user_id], at)[seat.user_id] - 1
        said["question"] = question_of(task, seat, busy, team)
    if task.state in ("ready", "stuck") and viewer.can["task_assign"]:
        said["people"] = _people(task.workspace_id, at, but=asked_now(task, at))
    if task.holder_id == seat.pk and task.attempt is not None:
        said |= _receivers(now, task.attempt)
        said["received"] = now.latest.brief.get("handback") if now.latest else None
    return said


def _receivers(now: TaskNow, attempt: Attempt) -> dict[str, Any]:
    """Whom it can be handed on to: agents as the matching sees them; people who wait for it, and those asked first."""
    task, at = now.task, timezone.now()
    found, giver = handing.outlook(task, attempt), _giver(now.attempts)
    # “Back to” stands for it already.
    back = giver.pk if giver is not None and found.to is not None and found.to.member_id == giver.pk else None
    agents = [Receiver(m.member_id, m.name, m.excluded) for m in found.ranked if not m.is_person]
    people = _people(task.workspace_id, at, but=attempt.member_id)
    waiting = _waiting(task, at)
    return {
        "outlook": found,
        "agent_receivers": [one for one in agents if one.pk != back],
        "some_cannot": any(one.why for one in agents),
        "people_here": [Receiver(one.pk, one.name, waiting[one.pk]) for one in people if one.pk in waiting],
        "people_away": [one for one in people if one.pk not in waiting],
    }


def _waiting(task: Task, at: datetime) -> dict[UUID, str]:
    """Who has it at once when it is passed on to them, and why."""
    looking = {one.pk: _("looks at it now") for one in watching.watchers_of(task, at)}
    asking = {one.member_id: _("asks for it") for one in asked_for.living(task) if one.state == "open"}
    return {**looking, **asking}


def _people(workspace_id: UUID, now: datetime, *, but: UUID | None) -> list[Receiver]:
    """The people who may be asked for a task, with what they have in hand."""
    team = [m for m in team_of([workspace_id]).get(workspace_id, []) if m.pk != but]
    load = load_of([m.user_id for m in team if m.user_id], now)
    return [Receiver(m.pk, m.name, _said_of(m, load[m.user_id or 0])) for m in team]


def _said_of(member: Member, busy: int) -> str:
    if not member.capacity:
        return f"has {busy} in hand" if busy else ""
    return f"has {busy} of {member.capacity}" if busy else ""


def _giver(attempts: Sequence[Attempt]) -> Any:
    """The agent that a person would hand back to."""
    return next((a.member for a in reversed(attempts) if a.member.agent_id), None)


@require_safe
def preview_hand_back(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """What the next one will be told of the draft as it is saved."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.hold")
    note = _("(your note stands here, word for word)")
    context = {"task": found, "preview": handing.preview(task_id, actor=actor, note=note)}
    if is_htmx(request):
        return render(request, "hands/_preview.html", context)
    return page(request, "hands/preview.html", context)


@require_POST
def hand_back_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Hand it on with a note: back to who fits, to one agent and no other, or to a person."""
    if not request.POST.get("member"):
        return _give(request, workspace_id, task_id, handing.hand_back)
    to = member_of(request)
    if Member.objects.filter(pk=to, workspace=workspace_id, user__isnull=False).exists():
        return _give(request, workspace_id, task_id, _pass_on, member_id=to)
    return _give(request, workspace_id, task_id, handing.reassign, member_id=to)


def _pass_on(
    task_id: UUID, *, member_id: UUID, note: str, actor: Actor, operation: str, **_more: Any
) -> Future[Outcome]:
    """To a person: what stood in the editor is saved by now, and the page was fresh."""
    return control.pass_on(task_id, member_id=member_id, note=note, actor=actor, operation=operation)


def _give(request: HttpRequest, workspace_id: UUID, task_id: UUID, verb: Any, **more: Any) -> HttpResponse:
    actor, text = actor_of(request), editor_text(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    more |= {"note": request.POST.get("note", ""), "text": text, "epoch": epoch_of(request)}
    more["anyway"] = request.POST.get("anyway") == "1"

    def give() -> HttpResponse:
        save_typed(request, task_id, text)
        # After what was typed is safe.
        fresh(request, task_of(actor, workspace_id, task_id, "task.hold"))
        perform(verb, task_id, actor=actor, operation=operation_of(request), **more)
        return changed(request, workspace_id, task_id)

    try:
        return or_kept(request, task_id, give)
    except Conflict as fault:
        if not is_htmx(request) or fault.code not in WITH_ANYWAY:
            raise
        # The form as it is now: it says who is away, and takes an “anyway”.
        answer = toast(request, fault.message, fault.status)
        answer.write(task_hint(task_id, f"{fault.code}-{operation_of(request)}"))
        return answer
