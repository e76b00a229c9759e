"""The draft of a task that one holds: shown, saved, chosen, gone back to, checked, finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.core.text_merge import DiffLine, diff
from clawgroups.fragments import task_hint
from clawgroups.fragments.tasks import TaskNow, line_words
from clawgroups.models import Artifact, Attempt, Draft, Task
from clawgroups.services import checking, draft_files, drafts, finishing, texts
from clawgroups.services.checking import Checked
from clawgroups.services.hands import NOT_HOLDER
from clawgroups.services.perform import perform
from clawgroups.services.texts import OWN
from clawgroups.web.brought import brought_to
from clawgroups.web.forms import take_in
from clawgroups.web.http import Viewer, actor_of, is_htmx, operation_of, page, see
from clawgroups.web.task_doors import changed, epoch_of, fresh, task_of

MOST_TEXT = 200_000


@dataclass(frozen=True, slots=True)
class Choice:
    """Two texts of one draft that know nothing of each other: one kept, one saved; and what differs."""

    kept: Draft
    newest: Draft
    lines: list[DiffLine]
    is_clean: bool
    more: int


def shown(now: TaskNow, viewer: Viewer) -> dict[str, Any]:
    """What the draft needs of a task's page, for this viewer."""
    task = now.task
    seat = viewer.seat
    own = [one for one in now.attempts if seat is not None and one.member_id == seat.pk]
    held = task.attempt if task.state == "held" else None
    mine = held if held is not None and seat is not None and task.holder_id == seat.pk else None
    return {
        "draft_text": _draft_text(now) if held is not None else "",
        "draft_files": draft_files.of(held) if held is not None else [],
        "choice": _choice(mine) if mine is not None else None,
        "file_choices": draft_files.kept_of(mine) if mine is not None else [],
        "kept": _kept([one for one in own if one != mine]),
        "kept_files": _kept_files([one for one in own if one != mine]),
        "brought": brought_to(mine, now.attempts) if mine is not None else None,
        "max_draft": drafts.MAX_DRAFT,
    }


def _draft_text(now: TaskNow) -> str:
    if now.draft is not None:
        return now.draft.text
    return now.latest.result if now.latest else ""


def _choice(attempt: Attempt) -> Choice | None:
    rows = list(Draft.objects.filter(attempt=attempt, kind=drafts.KEPT).order_by("version"))
    last = texts.newest(attempt)
    if not rows or last is None:
        return None
    row = rows[-1]
    return Choice(row, last, diff(last.text, row.text), drafts.both(row, last).clean, len(rows) - 1)


def _kept(attempts: Sequence[Attempt]) -> list[Draft]:
    """What was typed after a task had left somebody's hands."""
    rows = Draft.objects.filter(attempt__in=[one.pk for one in attempts], kind=drafts.KEPT)
    return list(rows.select_related("attempt__task").order_by("saved_at"))


def _kept_files(attempts: Sequence[Attempt]) -> list[Artifact]:
    rows = Artifact.objects.filter(attempt__in=[one.pk for one in attempts], kind=draft_files.KEPT, removed_at=None)
    return list(rows.order_by("created_at"))


# Saving


@require_POST
def save_draft(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Save a version of the draft; the editor does so while one types."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")

    def save() -> HttpResponse:
        said = perform(drafts.save_draft, task_id, text=_text(request), actor=actor, **place_of(request)).answer
        if not is_htmx(request):
            return changed(request, workspace_id, task_id)
        context = {"draft": _newest_draft(task_id), "task_id": task_id, "oob": "merge"}
        response = render(request, "tasks/_draft_piece.html", context)
        response["HX-Trigger"] = json.dumps({"draft:saved": {"version": said["version"]}})
        return response

    return or_kept(request, task_id, save)


def save_typed(request: HttpRequest, task_id: UUID, text: str | None) -> None:
    """What stands in an editor is safe before the task leaves these hands: saved, or kept where it cannot be."""
    if text is not None:
        perform(drafts.save_draft, task_id, text=text, actor=actor_of(request), **place_of(request))


def or_kept(request: HttpRequest, task_id: UUID, act: Callable[[], HttpResponse]) -> HttpResponse:
    """The answer of `act`; where its text was kept instead, the page loads anew and shows that."""
    try:
        return act()
    except Conflict as why:
        if why.code not in (drafts.MOVED, NOT_HOLDER) and "kept_as" not in why.fields:
            raise
        if not is_htmx(request):
            # The page shows the choice by itself; somebody without the task is told so in words.
            if why.code == drafts.MOVED:
                return see(_page_of(task_id))
            raise
        response = HttpResponse(task_hint(task_id, f"{timezone.now().timestamp()}"), status=why.status)
        told = {"code": why.code, "kept": why.fields.get("kept_as")}
        response["HX-Trigger"] = json.dumps({"draft:refused": told})
        return response


def _page_of(task_id: UUID) -> str:
    task = Task.objects.only("workspace_id").get(pk=task_id)
    return f"/w/{task.workspace_id}/tasks/{task_id}/"


@require_POST
def choose_draft(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Say which of two texts counts, or that both do."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    perform(
        drafts.choose_draft,
        task_id,
        _number(request, "kept"),
        choice=request.POST.get("choice", ""),
        # What was typed into the editor that the kept text comes from, after it was kept.
        text=editor_text(request),
        newest_seen=_number(request, "newest"),
        actor=actor,
        operation=operation_of(request),
    )
    response = changed(request, workspace_id, task_id)
    if is_htmx(request):
        # At once, and not only when the page has loaded anew: what is typed next goes on from the text that was chosen.
        response.write(_text_piece(task_id))
        response["HX-Trigger"] = "draft:chosen"
    return response


def _text_piece(task_id: UUID) -> str:
    task, draft = Task.objects.get(pk=task_id), _newest_draft(task_id)
    text = draft.text if draft is not None else ""
    context = {"task": task, "draft": draft, "draft_text": text, "max_draft": drafts.MAX_DRAFT, "oob": "merge"}
    return render_to_string("hands/_text.html", context)


@require_POST
def settle_kept(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Its writer has what was kept; it need not be shown any more."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    try:
        attempt = UUID(request.POST.get("attempt", ""))
    except ValueError:
        raise Invalid("Choose the text.", field="attempt") from None
    perform(drafts.settle_kept, attempt, _number(request, "kept"), actor=actor, operation=operation_of(request))
    return changed(request, workspace_id, task_id)


# Versions


@dataclass(frozen=True, slots=True)
class Saves:
    """Versions that one person saved in one go: the last of them, and how many there were."""

    draft: Draft
    first: int


@require_safe
def draft_versions(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Every version of a held task's draft, newest first."""
    return _versions(request, workspace_id, task_id, None)


@require_safe
def draft_version(request: HttpRequest, workspace_id: UUID, task_id: UUID, version: int) -> HttpResponse:
    """One version: its text, and what it changed."""
    return _versions(request, workspace_id, task_id, version)


def _versions(request: HttpRequest, workspace_id: UUID, task_id: UUID, version: int | None) -> HttpResponse:
    actor = actor_of(request)
    task = task_of(actor, workspace_id, task_id, "task.view")
    attempt = drafted(task)
    rows = list(Draft.objects.filter(attempt=attempt, kind=OWN).defer("text").order_by("version") if attempt else [])
    sets = _in_sets(rows)
    row = None
    if attempt is not None and rows:
        row = drafts.version_of(attempt, rows[-1].version if version is None else version)
        if row.kind == drafts.KEPT or row.kind == drafts.SETTLED:
            raise NotFound("There is no such version of this draft.")
    before = _before(sets, row)
    viewer = Viewer(actor, workspace_id)
    context = {
        "task": task,
        "attempt": attempt,
        "sets": sets,
        "row": row,
        "before": before,
        "lines": diff(before.text, row.text) if row is not None and before is not None else [],
        "text": row.text[:MOST_TEXT] if row is not None else "",
        "is_newest": row is not None and row.version == rows[-1].version,
        "holds": viewer.seat is not None and task.holder_id == viewer.seat.pk,
    }
    return page(request, "tasks/drafts.html", context)


def drafted(task: Task) -> Attempt | None:
    """The attempt whose draft a task's page speaks of: the one in a person's hands, else the last that was."""
    if task.state == "held" and task.attempt is not None:
        return task.attempt
    return task.attempts.filter(member__agent=None).order_by("number").last()


def _in_sets(rows: Sequence[Draft]) -> list[Saves]:
    """Versions newest first, those of one person within five minutes as one."""
    sets: list[Saves] = []
    for row in rows:
        last = sets[-1].draft if sets else None
        near = last is not None and (row.saved_at - last.saved_at).total_seconds() < 300
        if last is not None and near and last.actor == row.actor and row.base in (None, last.version):
            sets[-1] = Saves(row, sets[-1].first)
        else:
            sets.append(Saves(row, row.version))
    return sets[::-1]


def _before(sets: Sequence[Saves], row: Draft | None) -> Draft | None:
    """The version before the saves that a version belongs to."""
    if row is None:
        return None
    first = next((one.first for one in sets if one.first <= row.version <= one.draft.version), row.version)
    earlier = Draft.objects.filter(attempt=row.attempt_id, kind=OWN, version__lt=first)
    return earlier.order_by("version").last()


@require_POST
def restore_draft(request: HttpRequest, workspace_id: UUID, task_id: UUID, version: int) -> HttpResponse:
    """Go back to a version, as a new one."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    perform(drafts.restore_draft, task_id, version, actor=actor, operation=operation_of(request))
    return see(_page_of(task_id))


# Checking and finishing


@require_POST
def check_draft(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Hold what stands in the editor against the acceptance lines; nothing is written."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")
    checked = checking.check_draft(task_id, text=editor_text(request), actor=actor)
    return _checked(request, workspace_id, task_id, checked, finishing_it=False)


@require_POST
def submit_task(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """Finish by hand; where a line fails one is told first, and may finish all the same."""
    actor = actor_of(request)
    task_of(actor, workspace_id, task_id, "task.hold")

    def submit() -> HttpResponse:
        text = _text(request)
        version = perform(drafts.save_draft, task_id, text=text, actor=actor, **place_of(request)).answer["version"]
        if files := take_in(request):
            perform(draft_files.add_files, task_id, files=files, actor=actor)
        # After what was typed is safe.
        fresh(request, task_of(actor, workspace_id, task_id, "task.hold"))
        if request.POST.get("anyway") != "1":
            checked = checking.check_draft(task_id, text=text, actor=actor)
            if checked.failed and not _is_empty(task_id, text):
                return _checked(request, workspace_id, task_id, checked, finishing_it=True, version=version)
        operation = operation_of(request)
        perform(finishing.submit_held, task_id, result=text, base=version, actor=actor, operation=operation)
        return changed(request, workspace_id, task_id)

    return or_kept(request, task_id, submit)


def _is_empty(task_id: UUID, text: str) -> bool:
    """Whether there is nothing to finish with, which is said in other words."""
    attempt = Task.objects.select_related("attempt").get(pk=task_id).attempt
    return not text.strip() and attempt is not None and not draft_files.of(attempt)


def _checked(
    request: HttpRequest,
    workspace_id: UUID,
    task_id: UUID,
    checked: Checked,
    *,
    finishing_it: bool,
    version: int | None = None,
) -> HttpResponse:
    """What was found: a piece of the page, or without script a page of its own with the text as it was typed."""
    lines = [(line_words(one.line), one) for one in checked.verdicts]
    task = Task.objects.select_related("workspace", "run").get(pk=task_id)
    context = {
        "task": task,
        "lines": lines,
        "failed": checked.failed,
        "finishing": finishing_it,
        "at": timezone.now(),
        "typed": editor_text(request) or "",
        "base": version or _number(request, "base"),
    }
    if is_htmx(request):
        response = render(request, "hands/_checked.html", {**context, "oob": "merge"})
        if version is not None:
            response["HX-Trigger"] = json.dumps({"draft:saved": {"version": version}})
        return response
    return page(request, "tasks/checked.html", context)


def _newest_draft(task_id: UUID) -> Draft | None:
    task = Task.objects.select_related("attempt").get(pk=task_id)
    return texts.newest(task.attempt) if task.attempt else None


def editor_text(request: HttpRequest) -> str | None:
    """What stands in the editor, also what was typed after it last saved by itself; None where it is not sent."""
    return _text(request) if "text" in request.POST else None


def _text(request: HttpRequest) -> str:
    # Browsers send CRLF for the line ends of a textarea.
    return request.POST.get("text", "").replace("\r\n", "\n")


def place_of(request: HttpRequest) -> dict[str, Any]:
    """From which version of which hold the editor began, and where its text is kept if it was refused before."""
    return {"base": _number(request, "base"), "kept": _number(request, "kept"), "epoch": epoch_of(request)}


def _number(request: HttpRequest, name: str) -> Any:
    said = request.POST.get(name, "")
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 9 else None
