"""What other runs, of any workspace, want of a run's agents at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q

from clawgroups.core.fairness import Wish, allowance
from clawgroups.core.matching import Candidate
from clawgroups.models import Attempt, Member, Run, Task


def left_by_others(run: Run, seats: Sequence[Member], candidates: Sequence[Candidate], now: datetime) -> int | None:
    """How many more tasks this run may give out; None while no other run wants any of its agents."""
    wishes = _wishes(run, seats, now)
    if not wishes:
        return None
    in_hand = Attempt.objects.filter(task__run=run, state__in=["offered", "working"], member__agent__isnull=False)
    return allowance(candidates, wishes, in_hand.count())


def _wishes(run: Run, seats: Iterable[Member], now: datetime) -> list[Wish]:
    """The ready tasks of other running runs, where agents of this one sit too."""
    mine = {seat.agent_id: seat.pk for seat in seats}
    others = Run.objects.filter(state="running", paused=False).exclude(pk=run.pk)
    places = dict(others.filter(workspace__members__agent_id__in=list(mine)).values_list("pk", "workspace_id"))
    if not places:
        return []
    sitting: dict[UUID, set[UUID]] = {}
    seated = Member.objects.filter(workspace_id__in=set(places.values()), agent_id__in=list(mine), left_at=None)
    for workspace_id, agent_id in seated.values_list("workspace_id", "agent_id"):
        sitting.setdefault(workspace_id, set()).add(mine[agent_id])
    due = Q(not_before=None) | Q(not_before__lte=now)
    ready = Task.objects.filter(due, run_id__in=list(places), state="ready").order_by()
    return [
        Wish(run_id, tuple(skills), number, frozenset(sitting.get(places[run_id], ())))
        for run_id, skills, number in ready.values_list("run_id", "skills").annotate(number=Count("pk"))
    ]
