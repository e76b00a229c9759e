"""Model servers, calls of models, limits and the coordinator's settings, as the API shows them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils import timezone

from clawgroups.api.shown import Json, columns
from clawgroups.core.coordination import KINDS, MODES, read_coordination
from clawgroups.fragments import model_use
from clawgroups.models import ModelCall, Run, Workspace


def server(view: model_use.ServerView) -> Json:
    """A server and how it stands; of its key only whether there is one."""
    row = view.server
    said = columns(
        row, "id", "name", "provider", "url", "model", "mode", "enabled", "from_environment", "concurrency", "position",
        "prices", "timeouts", "extra", "breaker", "breaker_until", "health", "checked", "checked_at", "created_at",
    )  # fmt: skip
    return {
        **said,
        "has_key": bool(row.secret),
        "state": view.state,
        "under_way": view.under_way,
        "exposed": view.is_exposed,
    }


def coordination(row: Workspace) -> Json:
    """`coordination`: what is set here; `in_force`: all of it; who plans now, and what was used this month."""
    said = read_coordination(row.coordination)
    modes = {kind: said.mode(kind) or MODES[kind] for kind in KINDS}
    return {
        "workspace": str(row.pk),
        "coordination": row.coordination,
        "in_force": {**asdict(said), "modes": modes},
        "coordinator": planner(model_use.planner_here(row)),
        "month": uses(model_use.month_of(row, timezone.now())),
    }


def planner(who: model_use.Planner) -> Json:
    """Who plans: a model at a server, or the built-in coordinator and why."""
    return {"kind": "model" if who.is_model else "built-in", **asdict(who)}


def uses(found: list[model_use.Use]) -> Json:
    """What was used of each limit; `limit` null: there is none."""
    return {use.name: {"used": use.used, "limit": use.limit} for use in found}


def run_use(row: Run) -> Json:
    """Who plans a run, and what it has used against its limits."""
    found = model_use.uses_of(row)
    return {
        "coordinator": planner(model_use.planner_of(row)),
        "spent": {use.name: use.used for use in found},
        "budget": {use.name: use.limit for use in found},
        "budget_warned": row.budget_warned,
        "budget_stop": row.budget_stop,
        "fallback": row.fallback,
    }


def totals(found: model_use.Totals) -> Json:
    return {**asdict(found), "hit_percent": found.hit_percent, "cost_per_task_micro": found.cost_per_task}


def call(row: ModelCall) -> Json:
    """A call, with what was read from it but without what was said."""
    said = columns(
        row, "id", "kind", "subject", "round", "state", "mode", "priority", "model", "digest", "decision", "problems",
        "fault", "said", "tries", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens",
        "cost_micro", "first_ms", "took_ms", "created_at", "started_at", "ended_at", "acted_at",
    )  # fmt: skip
    task = str(row.task_id) if row.task_id else None
    return {**said, "run": str(row.run_id), "task": task, "server": row.server.name if row.server else None}


def call_in_full(row: ModelCall) -> Json:
    """A call with the question, the answer, its thoughts, and the reply as it came."""
    more: dict[str, Any] = columns(row, "request", "text", "reasoning", "raw")
    return {**call(row), **more}
