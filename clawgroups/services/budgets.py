"""Stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from uuid import UUID

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.coordination_events import BudgetSet
from clawgroups.permissions import get_run, require


def set_budget(run_id: UUID, *, limits: Mapping[str, int | None], actor: Actor, operation: str = "") -> Future[Outcome]:
    """Stand-in."""
    run = get_run(actor, run_id, "run.set_budget")
    expects = require(actor, "run.set_budget", run.workspace_id)
    update = Update("clawgroups.Run", run.pk, {"budget": dict(limits)})
    fact = Fact(run.workspace_id, BudgetSet(run_id=run.pk))
    answer = {"id": str(run.pk), "budget": dict(limits)}
    return commit.submit(
        Change(actor, run.workspace_id, expects, (update,), (fact,), operation, verb="run.set_budget", answer=answer)
    )
