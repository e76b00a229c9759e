"""What other runs, of any workspace, want of a run's agents at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q

from clawgroups.core.fairness import Wish, allowance
from clawgroups.core.matching import Candidate
from clawgroups.models import Attempt, Member, Run, Task
from clawgroups.planned import Planned


def left_by_others(run: Run, seats: Mapping[UUID, UUID], candidates: Sequence[Candidate], now: datetime) -> int | None:
    """How many more tasks this run may give out; None while no other run wants any of its agents.

    `seats`: the run's agents, and the member that each is here.
    """
    wishes = _wishes(run, seats, now)
    if not wishes:
        return None
    in_hand = Attempt.objects.filter(task__run=run, state__in=["offered", "working"], member__agent__isnull=False)
    return allowance(candidates, wishes, in_hand.count())


_others: Planned[tuple[UUID, UUID]] = Planned(
    lambda run_id: (
        Run.objects.filter(state="running", paused=False, budget_stop="")
        .exclude(pk=run_id)
        .values_list("pk", "workspace_id")
    )
)


def _wishes(run: Run, mine: Mapping[UUID, UUID], now: datetime) -> list[Wish]:
    """The ready tasks of other running runs, where agents of this one sit too."""
    others = dict(_others(run.pk))
    if not others:
        return []
    here = Member.objects.filter(workspace_id__in=set(others.values()), agent_id__in=list(mine), left_at=None)
    sitting: dict[UUID, set[UUID]] = {}
    for workspace_id, agent_id in here.values_list("workspace_id", "agent_id"):
        if agent_id is not None:
            sitting.setdefault(workspace_id, set()).add(mine[agent_id])
    places = {pk: workspace_id for pk, workspace_id in others.items() if workspace_id in sitting}
    if not places:
        return []
    due = Q(not_before=None) | Q(not_before__lte=now)
    ready = Task.objects.filter(due, run_id__in=list(places), state="ready", paused="").order_by()
    return [
        Wish(run_id, tuple(skills), number, frozenset(sitting[places[run_id]]))
        for run_id, skills, number in ready.values_list("run_id", "skills").annotate(number=Count("pk"))
    ]
