"""The page of a task: its thread, its transcript, and whose hands it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.acceptance import Finding, Verdict
from clawgroups.core.actors import Actor
from clawgroups.core.errors import Invalid, NotFound
from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.fragments import pieces, rooms, task_hint
from clawgroups.fragments.tasks import TaskNow, messages_of, now_of
from clawgroups.models import Approval, Attempt, Message, Part, Step, Task
from clawgroups.permissions import get_attempt, get_task
from clawgroups.queries import asked_now
from clawgroups.services import late, regenerate, review, session_options, tasks
from clawgroups.services.overdue import is_offered
from clawgroups.services.perform import perform
from clawgroups.services.session_options import session_at_work
from clawgroups.web.http import Viewer, actor_of, done, is_htmx, operation_of, page
from clawgroups.web.tags import shown_json
from clawgroups.web.workspaces import follows

SHOWN = 1500


@dataclass(frozen=True, slots=True)
class TranscriptEntry:
    """A line of a transcript: something said or something done."""

    ordinal: int
    part: Part | None = None
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt with what was said and done in it."""

    attempt: Attempt
    entries: tuple[TranscriptEntry, ...]


def task_of(actor: Actor, workspace_id: UUID, task_id: UUID, action: str) -> Task:
    """A task, under the address of its own workspace only."""
    found = get_task(actor, task_id, action)
    if found.workspace_id != workspace_id:
        raise NotFound("There is no such task in this workspace.")
    return found


@require_safe
def task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """The whole page of a task."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.view")
    context = {"follows": follows([found.workspace]), **_context(actor, found)}
    context["tries"] = tries_of(context["now"].attempts)
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
    found = task_of(actor_of(request), workspace_id, task_id, "task.view")
    now = now_of(found.pk)
    context = {"task": found, "now": now, "tries": tries_of(now.attempts)}
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
    task_of(actor, workspace_id, task_id, "session.set_option")
    chosen = {key: str(request.POST.get(key, "")) for key in ("option", "value")}
    perform(session_options.set_option, task_id, actor=actor, operation=operation_of(request), **chosen)
    return changed(request, workspace_id, task_id)


@require_safe
def step_detail(request: HttpRequest, attempt_id: UUID, step_id: UUID) -> HttpResponse:
    """What a step was given and what came of it."""
    get_attempt(actor_of(request), attempt_id, "task.view")
    step = Step.objects.filter(pk=step_id, attempt_id=attempt_id).first()
    if step is None:
        raise NotFound("There is no such step.")
    names = {"raw_input": "input", "locations": "places", "content": "content", "raw_output": "output"}
    parts = [(word, shown_json(step.detail[key])) for key, word in names.items() if step.detail.get(key)]
    return render(request, "tasks/_step_detail.html", {"step": step, "parts": parts})


def _context(actor: Actor, found: Task) -> dict[str, Any]:
    # The version first: what happens while the rest is read makes the page load once more.
    version = found.workspace.head
    now = now_of(found.pk)
    viewer = Viewer(actor, found.workspace_id)
    seat = viewer.seat
    holds = bool(seat and found.holder_id == seat.pk)
    said = Message.objects.filter(task=found).order_by("-created_at").values_list("pk", flat=True)[:200]
    asks = Approval.objects.filter(task=found, state="open").select_related("attempt__member", "task")
    return {
        "now": now,
        "version": version,
        "viewer": viewer,
        "holds": holds,
        "asked": seat is not None and asked_now(now.task, timezone.now()) == seat.pk,
        "offered": is_offered(now.task, now.task.attempt, timezone.now()),
        "asks": list(asks) if viewer.can["approval_view"] else [],
        "agents": rooms.seats(Q(workspace=found.workspace_id, agent__isnull=False))
        if viewer.can["task_assign"]
        else [],
        "draft_text": _draft_text(now) if found.state == "held" else "",
        "giver": _giver(now.attempts),
        "thread": messages_of(said),
        "session": session_at_work(found),
    }


def _draft_text(now: TaskNow) -> str:
    if now.draft is not None:
        return now.draft.text
    return now.latest.result if now.latest else ""


def _giver(attempts: Sequence[Attempt]) -> Any:
    """The agent that a person would hand back to."""
    return next((a.member for a in reversed(attempts) if a.member.agent_id), None)


def tries_of(attempts: Sequence[Attempt]) -> list[Try]:
    """Transcripts of the attempts, of very long ones the end; those without a word or step are left out."""
    found = []
    for attempt in attempts:
        parts = Part.objects.filter(attempt=attempt).order_by("-ordinal")[:SHOWN]
        steps = Step.objects.filter(attempt=attempt).order_by("-ordinal")[:SHOWN]
        entries = [TranscriptEntry(p.ordinal, part=p) for p in parts] + [
            TranscriptEntry(s.ordinal, step=s) for s in steps
        ]
        entries.sort(key=lambda entry: entry.ordinal)
        if entries or attempt.state in ATTEMPT_LIVE:
            found.append(Try(attempt, tuple(entries[-SHOWN:])))
    return found


def changed(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """After a verb on a task: its page loads anew, its card stands right."""
    if not is_htmx(request):
        return done(request, reverse("task", args=[workspace_id, task_id]))
    version = f"{Task.objects.values_list('workspace__head', flat=True).get(pk=task_id)}+"
    return done(request, "", [task_hint(task_id, version), *pieces("task_card", [task_id])])


def member_of(request: HttpRequest) -> UUID:
    """The member a form names."""
    try:
        return UUID(request.POST.get("member", ""))
    except ValueError:
        raise Invalid("Choose an agent.", field="member") from None


@require_POST
def assign_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Give the task to a certain agent."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.assign")
    perform(tasks.assign_task, task_id, member_id=member_of(request), actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def cancel_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Cancel the task and what needs it."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.cancel")
    perform(tasks.cancel_task, task_id, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def regenerate_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Write the task anew, for fresh tries."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.regenerate")
    text = request.POST.get("instructions", "")
    perform(regenerate.regenerate_task, task_id, instructions=text, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def accept_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """A person's verdict: every line that was still open passes."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.review")
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
    task_of(actor, workspace_id, task_id, "task.review")
    reasons = [line.strip() for line in request.POST.get("note", "").splitlines() if line.strip()]
    perform(review.return_task, task_id, reasons=reasons, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


@require_POST
def adopt_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Take up a result that came late; it goes into review."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.adopt")
    try:
        source = UUID(request.POST.get("attempt", ""))
    except ValueError:
        raise Invalid("Choose the late result.", field="attempt") from None
    perform(late.adopt_late, task_id, source, actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)
