"""The page of a task: its thread, its transcript, and whose hands it is in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.acceptance import Finding, Verdict
from clawgroups.core.actors import Actor
from clawgroups.core.errors import Invalid
from clawgroups.fragments import rooms, roster
from clawgroups.fragments.messages import messages_of
from clawgroups.fragments.neighbours import neighbours_of
from clawgroups.fragments.tasks import TaskNow, now_of
from clawgroups.fragments.transcript import transcript_of
from clawgroups.models import Member, Message, Task
from clawgroups.queries import asked_now
from clawgroups.services import late, reading, regenerate, review, session_options, tasks
from clawgroups.services.overdue import is_offered
from clawgroups.services.perform import perform
from clawgroups.services.session_options import session_at_work
from clawgroups.web import control, drafts, handback, oversteps, steering, stopping, story, task_bar
from clawgroups.web.http import Viewer, actor_of, operation_of, page
from clawgroups.web.need_cards import questions
from clawgroups.web.task_doors import changed, fresh, member_of, task_of
from clawgroups.web.workspaces import answered, follows, new_line


@require_safe
def task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """The whole page of a task."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.view")
    context = {"follows": follows([found.workspace]), "aim": rooms.Room(found.workspace), **_context(actor, found)}
    context["told"] = transcript_of(context["now"].attempts)
    context["reply"] = answered(request, workspace_id, found.pk)
    context |= story.shown(found, context["viewer"])
    return page(request, "tasks/detail.html", context)


@require_safe
def task_body(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """The page's body for this viewer; the transcript in it loads by itself when it must."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.view")
    return render(request, "tasks/_body.html", _context(actor, found))


@require_safe
def transcript(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """What was said and done in all tries."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.view")
    now = now_of(found.pk)
    context = {"task": found, "now": now, "told": transcript_of(now.attempts), "viewer": Viewer(actor, workspace_id)}
    return render(request, "tasks/_transcript.html", context)


@require_safe
def task_session(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """What the agent tells of its session: context, model, mode; asked for while it is open."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.view")
    context = {"task": found, "session": session_at_work(found), "viewer": Viewer(actor, workspace_id)}
    return render(request, "tasks/_session.html", context)


@require_POST
def set_option(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Choose the model, the mode or another option of the session at work."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "session.set_option"))
    chosen = {key: str(request.POST.get(key, "")) for key in ("option", "value")}
    perform(session_options.set_option, task_id, actor=actor, operation=operation_of(request), **chosen)
    return changed(request, workspace_id, task_id)


def _context(actor: Actor, found: Task) -> dict[str, Any]:
    # The version first: what happens while the rest is read makes the page load once more.
    version = found.workspace.head
    now = now_of(found.pk)
    viewer = Viewer(actor, found.workspace_id)
    seat = viewer.seat
    holds = bool(seat and found.holder_id == seat.pk)
    context = {
        "now": now,
        "version": version,
        "viewer": viewer,
        "holds": holds,
        "judge": _judge(now, seat),
        "asked": seat is not None and asked_now(now.task, timezone.now()) == seat.pk,
        "offered": is_offered(now.task, now.task.attempt, timezone.now()),
        "asks": questions(Q(task=found)) if viewer.can["approval_view"] else [],
        "agents": roster.seats(Q(workspace=found.workspace_id, agent__isnull=False))
        if viewer.can["task_assign"]
        else [],
        **drafts.shown(now, viewer),
        **handback.shown(now, viewer),
        **control.shown(now, viewer),
        **steering.shown(now),
        **stopping.shown(now),
        **oversteps.shown(found, viewer),
        **_thread(found, viewer),
        "session": session_at_work(found),
        "edges": neighbours_of(found),
    }
    return context | task_bar.shown(now, viewer, context)


def _thread(found: Task, viewer: Viewer) -> dict[str, Any]:
    """What was said in the task's thread, and what of it is new to the viewer."""
    said = Message.objects.filter(task=found).order_by("-created_at").values_list("pk", flat=True)[:200]
    thread = messages_of(said)
    new = new_line(thread, viewer, found.pk)
    unread = reading.unread_in(viewer.seat, found.pk) if new is not None and viewer.seat else 0
    return {"thread": thread, "thread_new": new, "thread_unread": unread}


def _judge(now: TaskNow, seat: Member | None) -> Member | None:
    """Who judges the viewer's own result, if that is what waits for a verdict."""
    made = now.waits_for_verdict and seat is not None and now.latest is not None and now.latest.member_id == seat.pk
    return review.other_judge(now.task, now.latest) if made and now.latest is not None else None


@require_POST
def assign_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Give the task to a certain agent."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.assign"))
    anyway = request.POST.get("anyway") == "1"
    perform(
        tasks.assign_task,
        task_id,
        member_id=member_of(request),
        anyway=anyway,
        actor=actor,
        operation=operation_of(request),
    )
    return changed(request, workspace_id, task_id)


@require_POST
def cancel_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Cancel the task and what needs it."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.cancel"))
    perform(tasks.cancel_task, task_id, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def regenerate_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Write the task anew, for fresh tries."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.regenerate"))
    text = request.POST.get("instructions", "")
    perform(regenerate.regenerate_task, task_id, instructions=text, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def accept_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """A person's verdict: every line that was still open passes."""
    actor = actor_of(request)
    found = fresh(request, task_of(actor, workspace_id, task_id, "task.review"))
    verdicts = _verdicts(found, actor.name, request.POST.get("note", "").strip())
    perform(review.accept_task, task_id, verdicts=verdicts, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


def _verdicts(found: Task, name: str, note: str) -> list[Verdict]:
    judged = found.attempt.verdicts if found.attempt else []
    known = {str(v.get("line")): v for v in judged if isinstance(v, dict)}
    verdicts = []
    for line in map(str, found.acceptance or ["not_empty"]):
        before = known.get(line, {})
        if before.get("finding") == Finding.PASSED:
            verdicts.append(
                Verdict(line, Finding.PASSED, str(before.get("reason", "")), str(before.get("by", "objective check")))
            )
        else:
            verdicts.append(Verdict(line, Finding.PASSED, note or "accepted by a person", name))
    return verdicts


@require_POST
def return_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Send the result back with reasons, one a line."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.review"))
    reasons = [line.strip() for line in request.POST.get("note", "").splitlines() if line.strip()]
    perform(review.return_task, task_id, reasons=reasons, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def adopt_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Take up a result that came late; it goes into review."""
    actor = actor_of(request)
    fresh(request, task_of(actor, workspace_id, task_id, "task.adopt"))
    try:
        source = UUID(request.POST.get("attempt", ""))
    except ValueError:
        raise Invalid("Choose the late result.", field="attempt") from None
    perform(late.adopt_late, task_id, source, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)
