"""What the model was asked for a run: each call, the sums, and the run's limits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.coordination_settings import version_of
from clawgroups.core.errors import NotFound
from clawgroups.fragments import model_use, rooms
from clawgroups.models import ModelCall, Run
from clawgroups.permissions import get_run
from clawgroups.services import budgets
from clawgroups.web.forms import carry_out
from clawgroups.web.http import Viewer, actor_of, done, is_htmx, operation_of, page, paged
from clawgroups.web.limits import limit_fields, limits_said, limits_typed
from clawgroups.web.tags import shown_json
from clawgroups.web.undo import offered
from clawgroups.web.workspaces import follows

# What a row of the table needs; the long texts are loaded when it is opened.
COLUMNS = (
    "kind", "subject", "round", "state", "model", "mode", "fault", "said", "problems", "prompt_tokens", "cached_tokens",
    "completion_tokens", "reasoning_tokens", "cost_micro", "first_ms", "took_ms", "created_at", "tries", "server__name",
    "run_id", "workspace_id", "task_id", "task__title",
)  # fmt: skip


class BudgetForm(forms.Form):
    """The limits of a run; with none at all, those of its workspace count again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= limit_fields("")


def _run(request: HttpRequest, workspace_id: UUID, run_id: UUID, action: str) -> Run:
    run = get_run(actor_of(request), run_id, action)
    if run.workspace_id != workspace_id:
        raise NotFound("There is no such run in this workspace.")
    return run


@require_safe
def model_calls(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """The calls of a run with their sums, and its limits. A guest sees the sums."""
    found = _run(request, workspace_id, run_id, "run.view")
    return _show(request, found, _form(found))


def _form(found: Run, data: Any = None) -> BudgetForm:
    return BudgetForm(data, initial=limits_typed(budgets.limits_of(found), ""))


def _show(request: HttpRequest, found: Run, form: BudgetForm, status: int = 200) -> HttpResponse:
    viewer = Viewer(actor_of(request), found.workspace_id)
    (view,) = rooms.runs_of([found.pk])
    context: dict[str, Any] = {
        "view": view,
        "viewer": viewer,
        "totals": model_use.totals_of(found.pk),
        "uses": model_use.uses_of(found),
        "form": form,
        "version": version_of(asdict(budgets.limits_of(found))),
        "follows": follows([found.workspace]),
    }
    if viewer.can["run_view_calls"]:
        rows = ModelCall.objects.filter(run=found).select_related("server", "task").only(*COLUMNS)
        context["page"] = paged(request, rows.order_by("-created_at", "-id"), 100)
    return page(request, "runs/model_calls.html", context, status)


@require_safe
def model_call(request: HttpRequest, workspace_id: UUID, run_id: UUID, call_id: UUID) -> HttpResponse:
    """What was asked, what came back, and what was read from it."""
    found = _run(request, workspace_id, run_id, "run.view_calls")
    call = ModelCall.objects.filter(pk=call_id, run=found).first()
    if call is None:
        raise NotFound("There is no such call.")
    said = {"request_json": shown_json(call.request), "raw": shown_json(call.raw)}
    context = {"run": found, "call": call, "loaded": True, **said}
    if is_htmx(request):
        return render(request, "runs/_model_call.html", context)
    return page(request, "runs/model_call.html", context)


@require_POST
@offered("set-budget")
def set_budget(request: HttpRequest, workspace_id: UUID, run_id: UUID) -> HttpResponse:
    """Replace the run's limits."""
    actor = actor_of(request)
    found = _run(request, workspace_id, run_id, "run.set_budget")
    form = _form(found, request.POST)
    outcome = None
    if form.is_valid():
        said = limits_said(form.cleaned_data, "")
        limits = said if any(said.values()) else {}
        outcome = carry_out(
            form,
            budgets.set_budget,
            run_id,
            limits=limits,
            actor=actor,
            operation=operation_of(request),
            shown=request.POST.get("version"),
        )
    if outcome is None:
        return _show(request, found, form, 422)
    return done(request, reverse("model-calls", args=[workspace_id, run_id]))
