"""Changing the plan of a running run: what is open of it as a form, and the verdict on a proposed change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.plan import PlanTask
from clawgroups.core.plan_diff import LOST, Standing
from clawgroups.core.plan_edits import free_key, slug
from clawgroups.core.replan_asked import read_asked
from clawgroups.models import Run
from clawgroups.services import model_calls, replan, replan_asks
from clawgroups.services.perform import perform
from clawgroups.services.plan_changes import read_plan
from clawgroups.web.http import actor_of, done, is_htmx, operation_of, page, see, viewer_of
from clawgroups.web.plan_forms import CHECKS, lines
from clawgroups.web.plans import run_of, slot
from clawgroups.web.workspaces import follows
from clawgroups.wording import say

MOST = 60
NEW = 3
TICKS = 40  # of more tasks than this, those that one waits for are written by key
TEXTS = ("title", "instructions", "skills", "acceptance", "minutes")


@dataclass(frozen=True, slots=True)
class Typed:
    """One task of the form as typed: its fields are named after its key, or after its number where it is new."""

    name: str
    title: str = ""
    instructions: str = ""
    skills: str = ""
    acceptance: str = ""
    minutes: str = ""
    after: tuple[str, ...] = ()
    is_out: bool = False
    state: str = ""
    is_changed: bool = False

    @property
    def parents(self) -> str:
        """The keys of the tasks that it waits for."""
        return ", ".join(self.after)

    @property
    def is_said(self) -> bool:
        """Whether anything was typed."""
        return bool(self.title or self.instructions)


@require_safe
def change_plan(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """The open tasks of a running plan as a form."""
    run = run_of(actor_of(request), workspace_id, run_id, "run.replan")
    return _show(request, run)


def _show(
    request: HttpRequest, run: Run, error: str = "", status: int = 200, *, typed: Any = None, note: str = ""
) -> HttpResponse:
    """The page, with what was `typed` into its form, or as a note to the coordinator."""
    now = replan.standing(read_plan(run))
    open_ones = [one for one in now if one.is_open]
    shown = open_ones[:MOST]
    keys = [(one.task.key, one.task.title) for one in now if one.state not in LOST]
    context = {
        "run": run,
        "viewer": viewer_of(request, run.workspace_id),
        "error": error,
        "tasks": [_as_is(one) if typed is None else _again(typed, one) for one in shown],
        "new": [Typed(f"new-{n}") if typed is None else _typed(typed, f"new-{n}", "") for n in range(NEW)],
        "rationale": typed.get("rationale", "") if typed else "",
        "keys": keys,
        "ticks": len(keys) <= TICKS,
        "asked": read_asked(run.replan),
        "may_ask": run.state == "running" and not run.replan and not model_calls.unavailable(run.workspace),
        "note": note,
        "longest_note": replan_asks.MAX_NOTE,
        "left_out": len(open_ones) - len(shown),
        "checks": CHECKS,
        "follows": follows([run.workspace]),
    }
    return page(request, "runs/change.html", context, status)


def _as_is(one: Standing) -> Typed:
    task = one.task
    return Typed(
        f"t-{task.key}",
        task.title,
        task.instructions,
        ", ".join(task.skills),
        "\n".join(task.acceptance),
        str(task.minutes or ""),
        task.depends_on,
        state=one.state,
    )


def _again(data: Any, one: Standing) -> Typed:
    """What was typed about a task, open where it differs from what the task says."""
    typed, before = _typed(data, f"t-{one.task.key}", one.state), _as_is(one)
    return replace(typed, is_changed=typed != replace(before, after=tuple(sorted(before.after))))


def _typed(data: Any, name: str, state: str) -> Typed:
    said: dict[str, Any] = {
        field: str(data.get(f"{name}-{field}", "")).strip().replace("\r\n", "\n") for field in TEXTS
    }
    after = {key.strip() for text in data.getlist(f"{name}-after") for key in text.split(",") if key.strip()}
    return Typed(name, **said, after=tuple(sorted(after)), is_out=bool(data.get(f"{name}-out")), state=state)


@require_POST
def propose_replan(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Propose what was typed as a change of the plan: it is shown as a difference before anything happens."""
    actor = actor_of(request)
    run = run_of(actor, workspace_id, run_id, "run.replan")
    try:
        tasks = proposed(request.POST, replan.standing(read_plan(run)))
        rationale = request.POST.get("rationale", "")
        operation = operation_of(request)
        perform(replan.propose_replan, run.pk, tasks=tasks, rationale=rationale, actor=actor, operation=operation)
    except (Invalid, Conflict) as wrong:
        return _show(request, run, say(wrong.message), wrong.status, typed=request.POST)
    return _to_plan(run)


@require_POST
def ask_replan(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Have the coordinator propose a change, from a note."""
    actor = actor_of(request)
    run = run_of(actor, workspace_id, run_id, "run.replan")
    note = request.POST.get("note", "")
    try:
        perform(replan_asks.ask_replan, run.pk, note=note, actor=actor, operation=operation_of(request))
    except (Invalid, Conflict) as wrong:
        run.refresh_from_db()
        return _show(request, run, say(wrong.message), wrong.status, note=note)
    return _to_plan(run)


def _to_plan(run: Run) -> HttpResponse:
    return see(reverse("run", args=[run.workspace_id, run.pk]) + f"#run-plan-{run.pk}")


def proposed(data: Any, now: tuple[Standing, ...]) -> list[dict[str, Any]]:
    """The tail of the plan as the form says it; open tasks that it does not show stay as they are."""
    tasks: list[dict[str, Any]] = []
    plan = [one.task for one in now]
    new: dict[str, str] = {}
    for number in range(NEW):
        typed = _typed(data, f"new-{number}", "")
        if typed.is_said:
            new[typed.name] = free_key(plan, slug(typed.title), taken=list(new.values()))
    for one in now:
        typed = _typed(data, f"t-{one.task.key}", one.state)
        if one.is_open and f"{typed.name}-title" not in data:
            tasks.append({"key": one.task.key})
        elif one.is_open and not typed.is_out:
            tasks.append({"key": one.task.key, **_words(typed, new, one.task)})
    return [*tasks, *({"key": key, **_words(_typed(data, name, ""), new, None)} for name, key in new.items())]


def _words(typed: Typed, new: Mapping[str, str], before: PlanTask | None) -> dict[str, Any]:
    """A task as typed; a new one that it waits for is named by the place of its fields."""
    said: dict[str, Any] = {
        "title": typed.title,
        "instructions": typed.instructions,
        "skills": [skill.strip() for skill in typed.skills.split(",") if skill.strip()],
        "acceptance": lines(typed.acceptance) or ["not_empty"],
        "minutes": typed.minutes or 0,
        "depends_on": [new.get(key, key) for key in typed.after],
    }
    if before is not None and typed.instructions == before.instructions.strip().replace("\r\n", "\n"):
        del said["instructions"]  # a browser sends line ends of its own
    return said


@require_POST
def accept_replan(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Carry the proposed change out."""
    return _decided(request, workspace_id, run_id, replan.accept_replan)


@require_POST
def reject_replan(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Turn the proposed change down, or withdraw what the coordinator was asked for."""
    return _decided(request, workspace_id, run_id, replan.reject_replan)


def _decided(
    request: HttpRequest, workspace_id: UUID, run_id: UUID, verb: Callable[..., Future[Outcome]]
) -> HttpResponse:
    actor = actor_of(request)
    run = run_of(actor, workspace_id, run_id, "run.edit_plan")
    looked_at = request.POST.get("replan", "")[:60]
    perform(verb, run.pk, actor=actor, replan=looked_at, operation=operation_of(request))
    where = reverse("run", args=[workspace_id, run_id])
    if not is_htmx(request):
        return see(where)
    run.refresh_from_db()
    return done(request, where, [render_to_string("runs/_plan_slot.html", slot(actor, run), request)])
