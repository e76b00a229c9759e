"""What was used: written in the change that uses it, summed where a limit asks for it.

One row per run, agent (none: the coordinator) and day, whose key is made of these; and the run's own sums, so that its
limits cost no query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from django.db.models import Sum

from agents.llm import base
from clawgroups.core.budgets import Spent
from clawgroups.core.changes import Count, Write
from clawgroups.models import Usage

NOTHING = base.Usage()
COLUMNS = ("calls", "steps", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "cost_micro")


def used(
    workspace_id: UUID,
    *,
    run_id: UUID | None,
    at: datetime,
    agent_id: UUID | None = None,
    calls: int = 0,
    steps: int = 0,
    tokens: base.Usage = NOTHING,
    cost_micro: int = 0,
) -> list[Write]:
    """The writes of a change in which this was used; without `agent_id` by the coordinator.

    Without `run_id` it was about none: it counts in the workspace's month.
    """
    counted = (calls, steps, tokens.prompt, tokens.cached, tokens.completion, tokens.reasoning, cost_micro)
    # Most of what is used is steps, in the same words all day; whatever else is used is seldom the same again.
    counts = _counts if counted == (0, steps, 0, 0, 0, 0, 0) else _counts.__wrapped__
    return [*counts(workspace_id, run_id, agent_id, at.date(), counted)]


@lru_cache(maxsize=1024)
def _counts(
    workspace_id: UUID, run_id: UUID | None, agent_id: UUID | None, day: date, counted: tuple[int, ...]
) -> tuple[Write, ...]:
    amounts = dict(zip(COLUMNS, counted, strict=True))
    pk = usage_id(workspace_id, run_id, agent_id, day)
    row = {"workspace_id": workspace_id, "run_id": run_id, "agent_id": agent_id, "day": day}
    spent = {
        "spent_tokens": amounts["prompt_tokens"] + amounts["completion_tokens"],
        "spent_micro": amounts["cost_micro"],
        "spent_steps": amounts["steps"],
    }
    of_run = spent if run_id is not None else {}
    return (
        *(Count("clawgroups.Usage", pk, column, amount, initial=row) for column, amount in amounts.items() if amount),
        *(Count("clawgroups.Run", run_id, column, amount) for column, amount in of_run.items() if amount),
    )


def usage_id(workspace_id: UUID, run_id: UUID | None, agent_id: UUID | None, day: date) -> UUID:
    """The key of the row that counts this."""
    return uuid5(NAMESPACE_OID, f"usage:{workspace_id}:{run_id or ''}:{agent_id or ''}:{day.isoformat()}")


def of_month(workspace_id: UUID, now: datetime) -> Spent:
    """What a workspace has used in this calendar month."""
    return _spent(Usage.objects.filter(workspace_id=workspace_id, day__gte=_first(now)).aggregate(**_SUMS))


def of_agents(agents: Iterable[UUID], now: datetime) -> dict[UUID, Spent]:
    """What each of these agents has used in this calendar month, in all workspaces together."""
    rows = Usage.objects.filter(agent_id__in=list(agents), day__gte=_first(now)).order_by().values("agent_id")
    return {row["agent_id"]: _spent(row) for row in rows.annotate(**_SUMS)}


_SUMS = {
    "prompt": Sum("prompt_tokens"),
    "completion": Sum("completion_tokens"),
    "cost": Sum("cost_micro"),
    "done": Sum("steps"),
}


def _spent(row: Mapping[str, Any]) -> Spent:
    return Spent((row["prompt"] or 0) + (row["completion"] or 0), row["cost"] or 0, row["done"] or 0)


def _first(now: datetime) -> date:
    return now.date().replace(day=1)
