"""Several people at one task: who watches, who asks for it, and giving it to each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from clawgroups import commit
from clawgroups.fragments.tasks import TaskNow
from clawgroups.models import Approval, Attempt, ControlRequest, Member
from clawgroups.permissions import get_request
from clawgroups.services import asked_for, control, watching
from clawgroups.services.perform import perform
from clawgroups.services.takeover import TAKEN
from clawgroups.services.texts import text_so_far
from clawgroups.web.drafts import editor_text, or_kept, save_typed
from clawgroups.web.http import Viewer, actor_of, operation_of, viewer_of
from clawgroups.web.task_doors import changed, fresh, task_of


@dataclass(frozen=True, slots=True)
class Lost:
    """What the viewer held until somebody else did."""

    by: Member
    at: datetime
    forced: bool
    reason: str
    text: str


def shown(now: TaskNow, viewer: Viewer) -> dict[str, Any]:
    """What the people at a task need of its page."""
    task, seat = now.task, viewer.seat
    requests = list(asked_for.living(task))
    own = [one for one in requests if seat is not None and one.member_id == seat.pk]
    said = {
        **_watchers(now, viewer),
        "requests": requests,
        "mine": next((one for one in own if one.state == "open"), None),
        "offer": next((one for one in own if one.state == "offered"), None),
    }
    if task.state != "held" or seat is None:
        return said
    if task.holder_id != seat.pk:
        said |= {"refused": _refused(now, seat), "lost": _lost(now.attempts, seat)}
    said["voided"] = _voided(now) if viewer.can["approval_view"] else []
    return said


def _watchers(now: TaskNow, viewer: Viewer) -> dict[str, Any]:
    """Everybody else who has the page open."""
    me = viewer.seat.pk if viewer.seat else None
    others = [one for one in watching.watchers_of(now.task, timezone.now()) if one.pk != me]
    return {"watchers": others, "watching": watching.say_names(others)}


def _refused(now: TaskNow, seat: Member) -> ControlRequest | None:
    """The last “not now” that the viewer got from whoever holds the task now."""
    since = now.latest.offered_at if now.latest else None
    said = ControlRequest.objects.filter(task=now.task.pk, member=seat, holder=now.task.holder_id, asked_at__gte=since)
    last = said.order_by("-asked_at").first()
    return last if last is not None and last.state == "refused" else None


def _lost(attempts: tuple[Attempt, ...], seat: Member) -> Lost | None:
    """The viewer held it right before: who has it since when, and what the viewer had saved."""
    if len(attempts) < 2 or attempts[-2].member_id != seat.pk or attempts[-2].state != "superseded":
        return None
    before, after = attempts[-2:]
    forced = before.reason.startswith(TAKEN)
    reason = before.reason.removeprefix(f"{TAKEN} {after.member.name}").removeprefix(": ") if forced else ""
    return Lost(after.member, after.offered_at, forced, reason, text_so_far(before))


def _voided(now: TaskNow) -> list[Approval]:
    """What an agent had asked when the task was taken out of its hands."""
    if len(now.attempts) < 2:
        return []
    before = Approval.objects.filter(attempt=now.attempts[-2], state="void", decided_at=now.attempts[-2].ended_at)
    return list(before.select_related("attempt__member")[:10])


@require_POST
def watch_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """The page is still open; who else has it open."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.watch")
    future = watching.watch_task(task_id, actor=actor)
    if future is not None:
        commit.wait(future)
    viewer = viewer_of(request, workspace_id)
    me = viewer.seat.pk if viewer.seat else None
    others = [one for one in watching.watchers_of(found, timezone.now()) if one.pk != me]
    context = {"task": found, "holds": found.holder_id == me, "watchers": others}
    return render(request, "hands/_watchers.html", {**context, "watching": watching.say_names(others)})


@require_POST
def ask_for_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Ask whoever holds it."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "control.ask"))
    note = request.POST.get("note", "")
    perform(control.ask_for, task_id, note=note, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def grant_control(request: HttpRequest, workspace_id: UUID, request_id: UUID) -> HttpResponse:
    """Give it to who asks; or take it from who offers it."""
    actor, text = actor_of(request), editor_text(request)
    task_id = get_request(actor, request_id, "control.answer").task_id

    def give() -> HttpResponse:
        save_typed(request, task_id, text)
        _request(request, workspace_id, request_id, "control.answer")
        perform(control.grant, request_id, text=text, actor=actor, operation=operation_of(request))
        return changed(request, workspace_id, task_id)

    return or_kept(request, task_id, give)


@require_POST
def refuse_control(request: HttpRequest, workspace_id: UUID, request_id: UUID) -> HttpResponse:
    """Not now."""
    actor = actor_of(request)
    found = _request(request, workspace_id, request_id, "control.answer")
    word = request.POST.get("word", "")
    perform(control.refuse, request_id, word=word, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, found.task_id)


@require_POST
def withdraw_control(request: HttpRequest, workspace_id: UUID, request_id: UUID) -> HttpResponse:
    """Take a request or an offer back."""
    actor = actor_of(request)
    found = _request(request, workspace_id, request_id, "control.ask")
    perform(control.withdraw, request_id, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, found.task_id)


def _request(request: HttpRequest, workspace_id: UUID, request_id: UUID, action: str) -> ControlRequest:
    """A request under the address of its workspace, of a task that is as the page showed it."""
    actor = actor_of(request)
    found = get_request(actor, request_id, action)
    fresh(request, task_of(actor, workspace_id, found.task_id, action))
    return found
