"""The command palette: one field that leads everywhere, as a dialog with script and as a page without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from clawgroups.core.actors import Actor
from clawgroups.core.errors import ClawError
from clawgroups.core.lifecycle import RUN_TERMINAL, TASK_TERMINAL
from clawgroups.fragments.receipt import has_receipt
from clawgroups.permissions import get_run, get_task, get_workspace
from clawgroups.web.http import Viewer, actor_of, is_htmx, page, typed
from clawgroups.web.places import Place, link, search, verb
from clawgroups.wording import say_plan

LONGEST = 200


@require_safe
def go(request: HttpRequest) -> HttpResponse:
    """What `q` finds, and what can be done on the page `at`."""
    actor = actor_of(request)
    query = typed(request, "q", LONGEST)
    at = request.GET.get("at", "")
    if not url_has_allowed_host_and_scheme(at, {request.get_host()}, require_https=request.is_secure()):
        at = ""
    here = _resolved(at)
    workspace = _uuid(request.GET.get("w", "")) or (here.kwargs.get("workspace_id") if here else None)
    verbs = [*_verbs(actor, here, workspace), *_themes(at or "/")]
    found = search(actor, query, verbs, workspace)
    context = {"found": found, "query": query, "at": at, "w": request.GET.get("w", "")}
    if is_htmx(request):
        response = render(request, "go/_found.html", {**context, "palette": True})
        response["Cache-Control"] = "private, no-store"
        return response
    return page(request, "go/page.html", context)


def _uuid(said: str) -> UUID | None:
    try:
        return UUID(said) if said else None
    except ValueError:
        return None


def _resolved(at: str) -> ResolverMatch | None:
    try:
        return resolve(at.partition("?")[0].partition("#")[0]) if at else None
    except Resolver404:
        return None


def _verbs(actor: Actor, here: ResolverMatch | None, workspace_id: UUID | None) -> Iterator[Place]:
    """What fits the page one is on: its task's, its run's and its workspace's verbs."""
    ids: dict[str, Any] = here.kwargs if here else {}
    for what, key in ((_of_task, "task_id"), (_of_run, "run_id")):
        if key in ids:
            try:
                yield from what(actor, ids[key])
            except ClawError:
                return
    if workspace_id is not None:
        try:
            yield from _of_workspace(actor, workspace_id)
        except ClawError:
            return


def _of_task(actor: Actor, task_id: UUID) -> Iterator[Place]:
    task = get_task(actor, task_id, "task.view")
    where, about = (task.workspace_id, task.pk), say_plan(task.title)
    can = Viewer(actor, task.workspace_id).can
    seen = {} if task.epoch is None else {"epoch": task.epoch}
    if task.state not in TASK_TERMINAL:
        if can["task_take_over"] and task.state not in ("held", "waiting", "in_review"):
            yield verb("hand", _("Take over"), "take-over-task", *where, about=about, words="hold mine", **seen)
        if can["task_pause"] and task.paused:
            yield verb("play", _("Let it go on"), "resume-task", *where, about=about, words="resume", **seen)
        elif can["task_pause"] and task.state not in ("held", "in_review"):
            yield verb("pause", _("Pause this task"), "pause-task", *where, about=about, words="stop rest", **seen)
        yield link("people", _("Who could do it"), "match", *where, about=about, kind=_("Task"), words="matching why")
    yield link("path", _("Story of this task"), "task-story", *where, about=about, kind=_("Task"), words="history")
    if has_receipt(task):
        yield link("check", _("Receipt of this task"), "receipt", *where, about=about, kind=_("Task"))
    yield link("edit", _("Versions of the draft"), "draft-versions", *where, about=about, kind=_("Task"))
    yield link("goal", _("The run of this task"), "run", task.workspace_id, task.run_id, kind=_("Run"))


def _of_run(actor: Actor, run_id: UUID) -> Iterator[Place]:
    run = get_run(actor, run_id, "run.view")
    where, about, kind = (run.workspace_id, run.pk), say_plan(run.goal)[:80], _("Run")
    can = Viewer(actor, run.workspace_id).can
    if run.state == "running" and can["run_pause"]:
        if run.paused:
            yield verb("play", _("Let the run go on"), "resume-run", *where, about=about, words="resume")
        else:
            yield verb("pause", _("Pause the run"), "pause-run", *where, about=about, words="rest")
    if run.state not in RUN_TERMINAL and can["run_stop"]:
        yield link("stop", _("Stop its agents"), "stop-run", *where, about=about, kind=_("Do"))
    if run.state == "running" and can["run_replan"]:
        yield link("edit", _("Change the plan"), "change-plan", *where, about=about, kind=_("Do"))
    if can["run_share"]:
        yield link(
            "link", _("Show it to others"), "shares", *where, about=about, kind=_("Do"), words="share link public"
        )
    yield link("board", _("All tasks of the run"), "run-view", *where, "list", about=about, kind=kind)
    yield link("thought", _("Calls of the model, limits"), "model-calls", *where, about=about, kind=kind, words="cost")


def _of_workspace(actor: Actor, workspace_id: UUID) -> Iterator[Place]:
    found = get_workspace(actor, workspace_id, "workspace.view")
    can, pk, kind = Viewer(actor, found.pk).can, found.pk, _("Workspace")
    said: dict[str, Any] = {"about": found.name}
    if can["run_draft"]:
        yield link("goal", _("Give a goal"), "workspace", pk, more="#mode-goal", kind=_("Do"), words="run plan", **said)
        begin = f"?w={pk}"
        yield link("copy", _("Start from a template"), "templates", more=begin, kind=_("Do"), words="run plan", **said)
    if can["workspace_stop"]:
        yield link("stop", _("Stop everything"), "stop-workspace", pk, kind=_("Do"), words="halt", **said)
    yield link("rules", _("Goal and rules"), "workspace", pk, more="#about", kind=kind, words="rename", **said)
    yield link("chat", _("Chat"), "workspace", pk, more="#talk", kind=kind, **said)
    yield link("goal", _("All runs"), "runs", pk, kind=kind, **said)
    yield link("people", _("Team"), "members", pk, kind=kind, words="members people agents roles", **said)
    if can["member_invite"]:
        yield link("link", _("Invite people"), "invitations", pk, kind=_("Do"), words="invitation link qr join", **said)
    yield link("file", _("Files"), "files", pk, kind=kind, words="deliverables", **said)
    yield link("search", _("Search messages"), "search", pk, kind=kind, **said)
    yield link("claw", _("Coordinator"), "coordination", pk, kind=kind, words="settings model", **said)
    yield link("read", _("Remembered"), "memories", pk, kind=kind, words="memory notes", **said)
    if can["workspace_set_timers"]:
        yield link("clock", _("Deadlines"), "deadlines", pk, kind=kind, words="timers", **said)
    yield link("swap", _("What the matching learned"), "learned", pk, kind=kind, words="choices", **said)


def _themes(at: str) -> Iterator[Place]:
    for theme, title in (("light", _("Light colours")), ("dark", _("Dark colours")), ("", _("Colours of the system"))):
        one = verb("sun", title, "set-theme", words="theme mode appearance", theme=theme, next=at)
        yield Place(one.icon, one.title, one.href, one.about, one.kind, one.words, one.fields, theme=theme, rank=5)
