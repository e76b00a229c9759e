"""What a run's bundle says beside its files: the run, its plan, every verdict, what it cost, a receipt of each task."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from clawgroups.core.bundles import RECEIPTS
from clawgroups.core.errors import NotFound
from clawgroups.fragments.model_use import totals_of, uses_of
from clawgroups.fragments.receipt import has_receipt, receipt_of
from clawgroups.models import Attempt, Dependency, Run, Task


def documents(run: Run) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each document with its path, made when it is asked for."""
    tasks = list(
        Task.objects.filter(run=run).select_related("assignee", "run__workspace").order_by("level", "position")
    )
    yield "run.json", _run(run)
    yield "plan.json", _plan(run, tasks)
    yield "verdicts.json", _verdicts(run)
    yield "costs.json", _costs(run)
    for task in tasks:
        if has_receipt(task):
            try:
                yield f"{RECEIPTS}{task.key}.json", receipt_of(task).as_json()
            except NotFound:
                # It went back while the bundle is made: there is nothing that counts as delivered.
                continue


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": str(run.pk),
        "goal": run.goal,
        "state": run.state,
        "reason": run.reason,
        "workspace": {"id": str(run.workspace_id), "name": run.workspace.name, "rules": run.workspace.rules},
        "asked_by": run.created_by.get_full_name() or run.created_by.get_username(),
        "answers": run.answers,
        "created_at": _moment(run.created_at),
        "started_at": _moment(run.started_at),
        "ended_at": _moment(run.ended_at),
    }


def _plan(run: Run, tasks: list[Task]) -> dict[str, Any]:
    parents: dict[Any, list[str]] = {}
    for child, key in Dependency.objects.filter(task__run=run).values_list("task_id", "parent__key"):
        parents.setdefault(child, []).append(key)
    return {
        "planner": run.planner,
        "rationale": run.rationale,
        "version": run.plan_version,
        "tasks": [
            {
                "id": str(task.pk),
                "key": task.key,
                "title": task.title,
                "instructions": task.instructions,
                "skills": task.skills,
                "acceptance": task.acceptance,
                "depends_on": sorted(parents.get(task.pk, ())),
                "state": task.state,
                "who": task.assignee.name if task.assignee is not None else None,
                "why": task.match.get("reason") if isinstance(task.match, dict) else None,
            }
            for task in tasks
        ],
    }


def _verdicts(run: Run) -> dict[str, Any]:
    """What was found of every try that was handed in, also of those that went back."""
    tries = Attempt.objects.filter(task__run=run, submitted_at__isnull=False).select_related("task", "member")
    return {
        "tries": [
            {
                "task": one.task.key,
                "attempt": one.number,
                "by": one.member.name,
                "by_kind": "person" if one.member.agent_id is None else "agent",
                "state": one.state,
                "reason": one.reason,
                "submitted_at": _moment(one.submitted_at),
                "judged_at": _moment(one.ended_at),
                "lines": one.verdicts,
            }
            for one in tries.order_by("task__position", "number")
        ]
    }


def _costs(run: Run) -> dict[str, Any]:
    model = totals_of(run.pk)
    return {
        "used": {use.name: {"used": use.used, "limit": use.limit} for use in uses_of(run)},
        "coordinator": {
            "calls": model.calls,
            "prompt_tokens": model.prompt,
            "cached_tokens": model.cached,
            "completion_tokens": model.completion,
            "cost_micro": model.cost_micro,
        },
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
