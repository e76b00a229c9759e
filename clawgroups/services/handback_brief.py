"""What the next one has to know of a person's work on a task: made from rows at the moment it is handed on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from clawgroups.core.acceptance import Finding, Verdict
from clawgroups.core.differences import difference, is_text
from clawgroups.core.errors import NotFound
from clawgroups.core.failures import Failure
from clawgroups.models import Artifact, Attempt, Draft, Task
from clawgroups.services import draft_files
from clawgroups.services.briefs import changed_by
from clawgroups.services.files import open_file
from clawgroups.services.texts import newest

MAX_FILES = 50
MAX_FILE_DIFF = 20_000
MAX_DIFFS = 60_000  # of all files together
MAX_READ = 1_000_000  # bytes of a file that are compared as text
MAX_DRAFT = 200_000  # of a prompt; the work folder has all of it


# What the next one is not told again: it belongs to the try before, or to a question that was answered.
OVER = ("feedback", "denied", "acknowledged", "given", "returned", "only", "note", "interrupted")


def given_back(
    task: Task, attempt: Attempt, note: str = "", text: str | None = None, verdicts: Sequence[Verdict] = ()
) -> dict[str, Any]:
    """The brief of a task that a person gives out of their hands; whichever agent had it last is preferred."""
    former = task.attempts.filter(member__agent__isnull=False).last()
    return {
        **{key: value for key, value in task.brief.items() if key not in OVER},
        "handback": handback_brief(task, attempt, note, text, verdicts),
        "previous": str(attempt.pk),
        "preferred": "" if former is None else str(former.member_id),
    }


def handback_brief(
    task: Task, attempt: Attempt, note: str, text: str | None = None, verdicts: Sequence[Verdict] = ()
) -> dict[str, Any]:
    """Note, draft, what changed in text and files since an agent had it last, and which lines are still open.

    `text` is what stands in the editor, where the door knows it; else the newest saved version. `verdicts` are what
    the checks say of this version. Notes that no agent was told yet go along.
    """
    told = _last_told(attempt)
    last = newest(attempt)
    now = text if text is not None else last.text if last is not None else ""
    return {
        "from": attempt.member.name,
        "from_id": str(attempt.member_id),
        "attempt": str(attempt.pk),
        "note": note,
        "notes": _untold(task, told),
        "draft": now[:MAX_DRAFT],
        "diff": changed_by(_begun_with(attempt, told), now),
        "files": _changed_files(task, attempt, told),
        "open": [
            {"line": one.line, "finding": one.finding.value, "reason": one.reason}
            for one in verdicts
            if one.finding is not Finding.PASSED
        ],
    }


def _last_told(attempt: Attempt) -> Attempt | None:
    """The agent's try that people went on from: the last one that took up what it was told."""
    earlier = Attempt.objects.filter(task=attempt.task_id, number__lt=attempt.number, member__agent__isnull=False)
    return earlier.exclude(failure=Failure.NOT_ACKNOWLEDGED.value).order_by("number").last()


def _begun_with(attempt: Attempt, told: Attempt | None) -> str:
    """The text that the first of the people who held it since found."""
    here = Q(attempt__task=attempt.task_id, attempt__number__lte=attempt.number, attempt__member__agent=None)
    since = Q(attempt__number__gt=told.number) if told else Q()
    first = Draft.objects.filter(here & since, kind="own").order_by("attempt__number", "version").first()
    return first.text if first else ""


def _untold(task: Task, told: Attempt | None) -> list[dict[str, str]]:
    """What those wrote who had it before, where that went to a person and to no agent."""
    before = task.brief.get("handback", {})
    number = task.attempts.filter(pk=before.get("attempt")).values_list("number", flat=True).first()
    if number is None or (told is not None and number < told.number):
        return []
    mine = [{"from": before["from"], "note": before["note"]}] if before.get("note") else []
    return [*before.get("notes", []), *mine]


def _changed_files(task: Task, attempt: Attempt, told: Attempt | None) -> list[dict[str, str]]:
    """What people did to the files since: {"name", "change": added | removed | replaced, "diff"}, bounded."""
    old = {row.name: row for row in draft_files.so_far(task, told)} if told else {}
    new = {row.name: row for row in draft_files.of(attempt)}
    left = MAX_DIFFS
    found: list[dict[str, str]] = []
    for name in sorted({*new, *old}):
        was, now = old.get(name), new.get(name)
        if was is not None and now is not None and was.sha256 == now.sha256:
            continue
        change = "removed" if now is None else "added" if was is None else "replaced"
        diff = _file_diff(was, now, min(left, MAX_FILE_DIFF)) if is_text(name) and now is not None else ""
        left -= len(diff)
        found.append({"name": name, "change": change, "diff": diff})
    return found[:MAX_FILES]


def _file_diff(was: Artifact | None, now: Artifact, limit: int) -> str:
    if limit <= 0:
        return ""
    old, new = _text_of(was), _text_of(now)
    if old is None or new is None:
        return ""
    return difference(old, new, limit, was=f"{now.name} before", now=f"{now.name} now")


def _text_of(row: Artifact | None) -> str | None:
    """A file as text; None for one that is too large, or no text after all."""
    if row is None:
        return ""
    if row.size > MAX_READ:
        return None
    try:
        with open_file(row.sha256) as content:
            return content.read().decode("utf-8-sig")
    except (NotFound, UnicodeDecodeError):
        return None
