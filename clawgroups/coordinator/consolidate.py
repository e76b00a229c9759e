"""From the results of a run to its deliverables: an HTML report, the data workbooks, what its last tasks made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

from django.utils import timezone

from clawgroups.core.actors import Actor
from clawgroups.formats import html
from clawgroups.formats.material import Material, Picture, Section, Source
from clawgroups.models import Artifact, Attempt, Dependency, Run, Task
from clawgroups.services import agent_judges, runs
from clawgroups.services.files import StoredFile, open_file, store
from clawgroups.services.perform import perform
from clawgroups.services.talking import KIND

MAX_PICTURE = 2 * 1024 * 1024
BOOKS = ".xlsx"
# What people asked for as a whole: a website or documents, together or one by one.
DOCUMENTS = (".zip", ".html", ".docx", ".pptx", ".pdf")
REPORT = "report.html"  # is made here
PICTURES = ("image/svg+xml", "image/png", "image/jpeg")


def consolidate_run(run_id: UUID, actor: Actor) -> None:
    """Make the deliverables of a run whose tasks are all terminal, and finish it (or fail it, saying why)."""
    run = Run.objects.select_related("workspace", "created_by").get(pk=run_id)
    if run.state != "consolidating":
        return
    if run.kind == KIND:
        _end_talk(run, actor)
        return
    if run.kind == agent_judges.KIND:
        # What was found stands with the result that it is about.
        perform(runs.finish_run, run.pk, deliverables=(), note="", actor=actor)
        return
    material = gather(run)
    if not any(section.state == "done" for section in material.sections):
        perform(runs.fail_run, run.pk, reason="No task was done, so there is nothing to hand over.", actor=actor)
        return
    report = store([html.render(material)], name="report.html", content_type="text/html")
    made = _made(run)
    listed = ", ".join([report.name, *(one.stored.name for one in made)][:4])
    note = f"The run is done. Ready to download: {listed}."
    if material.warnings:
        note = f"{note} What to look at: {' '.join(material.warnings)}"
    perform(runs.finish_run, run.pk, deliverables=[runs.Deliverable(report), *made], note=note, actor=actor)


def _end_talk(run: Run, actor: Actor) -> None:
    """Nothing is left to do: each answer was posted as it was accepted. Who did not answer is told."""
    silent = Task.objects.filter(run=run).exclude(state="done").select_related("proposed").order_by("position")
    lines = [f"{one.proposed.name if one.proposed else 'Nobody'} did not answer: {_why(one)}." for one in silent]
    perform(runs.finish_run, run.pk, deliverables=(), note="\n".join(lines), actor=actor)


def _why(task: Task) -> str:
    return task.reason.rstrip(".") or f"the task is {task.state}"


def gather(run: Run) -> Material:
    """Everything a deliverable of this run rests on."""
    sections = tuple(_sections(run))
    files = list(Artifact.objects.select_related("task").filter(run=run, kind__in=["input", "result"]))
    return Material(
        goal=run.goal,
        workspace=run.workspace.name,
        asked_by=run.created_by.get_full_name() or run.created_by.get_username(),
        finished_at=timezone.now(),
        sections=sections,
        pictures=tuple(_pictures(files)),
        sources=tuple(Source(f.name, f.size, f.sha256, _origin(f)) for f in files if f.kind == "input"),
        warnings=tuple(_warnings(sections, files)),
    )


def _sections(run: Run) -> Iterator[Section]:
    """One for each task, in order. By columns: of thousands of tasks the rows would take many times the memory."""
    parents = set(Dependency.objects.filter(task__run=run).values_list("parent_id", flat=True).distinct())
    attempts = Attempt.objects.filter(task__run=run, state="accepted")
    accepted = {pk: told for pk, *told in attempts.values_list("task_id", "member__name", "result", "verdicts")}
    tasks = Task.objects.filter(run=run).order_by("position")
    for pk, key, title, kind, state, reason in tasks.values_list("pk", "key", "title", "kind", "state", "reason"):
        author, text, verdicts = accepted.get(pk, ("nobody", "", ()))
        yield Section(
            key=key,
            title=title,
            author=author,
            kind=kind,
            text=text,
            state=state,
            reason=reason,
            verdicts=tuple(verdicts),
            is_last=pk not in parents,
        )


def _origin(row: Artifact) -> str:
    return "given with the goal" if row.task is None else f"task “{row.task.title}”"


def _pictures(files: list[Artifact]) -> list[Picture]:
    newest = {f.name: f for f in files if f.kind == "result" and f.content_type in PICTURES and f.size <= MAX_PICTURE}
    pictures = []
    for row in list(newest.values())[:20]:
        with open_file(row.sha256) as content:
            author = str(row.actor.get("name", ""))
            pictures.append(Picture(row.name, row.content_type, content.read(), author))
    return pictures


def _warnings(sections: tuple[Section, ...], files: list[Artifact]) -> list[str]:
    warnings = [
        f"“{s.title}” was not done: {s.reason.rstrip('.')}." if s.reason else f"“{s.title}” was not done."
        for s in sections
        if s.state != "done"
    ]
    for row in files:
        if row.kind == "result" and row.name.endswith("review.json"):
            warnings += _review_warning(row)
    return warnings


def _review_warning(row: Artifact) -> list[str]:
    """What the reviewer found wrong; an unreadable review is said to be so."""
    try:
        with open_file(row.sha256) as content:
            said = json.loads(content.read(1_000_000))
        wrong = [c for c in said.get("checks", []) if not c.get("ok")]
        passed = said.get("verdict") == "pass"
    except (ValueError, AttributeError, TypeError):
        return [f"{row.name} could not be read, so the report is not known to be checked."]
    if passed:
        return []
    return [f"The check of the numbers did not pass: {len(wrong)} of them do not agree with the data."]


def _made(run: Run) -> list[runs.Deliverable]:
    """Of each accepted task the newest of each workbook; of those that nothing builds upon, of each document, too."""
    rows = Artifact.objects.filter(run=run, kind="result", attempt__state="accepted").exclude(name=REPORT)
    built_upon = set(Dependency.objects.filter(task__run=run).values_list("parent_id", flat=True))
    newest = {
        (row.task_id, row.name): row
        for row in rows.order_by("created_at")
        if row.name.lower().endswith(BOOKS) or (row.task_id not in built_upon and row.name.lower().endswith(DOCUMENTS))
    }
    return [
        runs.Deliverable(StoredFile(r.name, r.size, r.sha256, r.content_type), r.task_id, r.revision)
        for r in newest.values()
    ]
