"""The coordinator's wake-ups and turns, as rows: level-triggered, so that no wake-up can be lost.

A run wants a turn while `wanted > turned`. A turn holds the run by a lease; whoever finds the lease
run out may begin the next one, and whatever it does is fenced by the tasks' epochs.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Count, Outcome, Update
from clawgroups.models import Run, Workspace
from clawgroups.services.deadlines import timers_of

ACTIVE = ("planning", "proposed", "running", "consolidating")


def react_to(workspace: Workspace, *, upto: int, runs: Iterable[UUID]) -> Future[Outcome]:
    """Advance the reactions' cursor and wake these runs' coordinators, in one change."""
    return commit.submit(
        Change(
            SYSTEM,
            workspace.pk,
            writes=(
                Update("clawgroups.Workspace", workspace.pk, {"reacted": upto}, {"reacted": workspace.reacted}),
                *(Count("clawgroups.Run", run, "wanted", 1) for run in runs),
            ),
            verb="react",
        )
    )


def want_turn(runs: Iterable[UUID]) -> Future[Outcome]:
    """Wake these runs' coordinators (the sweeper's way in)."""
    return commit.submit(
        Change(SYSTEM, writes=tuple(Count("clawgroups.Run", run, "wanted", 1) for run in runs), verb="turn.want")
    )


def claim_turn(run_id: UUID, *, owner: str) -> Future[Outcome] | None:
    """Hold a run for one turn, as long as it is renewed. None when no turn is wanted, or another holds it.

    Answer: {"wanted", "lease"}, the latter in seconds.
    """
    run = Run.objects.select_related("workspace").get(pk=run_id)
    now = timezone.now()
    held = run.turn_until is not None and run.turn_until > now
    if held or run.wanted <= run.turned or run.state not in ACTIVE:
        return None
    lease = timers_of(run.workspace).turn_lease
    until = now + timedelta(seconds=lease)
    expect = {"turn_owner": run.turn_owner, "turn_until": run.turn_until, "turned": run.turned}
    return commit.submit(
        Change(
            SYSTEM,
            run.workspace_id,
            writes=(Update("clawgroups.Run", run.pk, {"turn_owner": owner, "turn_until": until}, expect),),
            verb="turn.claim",
            answer={"wanted": run.wanted, "lease": lease},
        )
    )


def renew_turn(run_id: UUID, *, owner: str, lease: float) -> Future[Outcome]:
    """Hold on to a run. A mismatch when the lease had run out and another turn began."""
    until = timezone.now() + timedelta(seconds=lease)
    held = Update("clawgroups.Run", run_id, {"turn_until": until}, {"turn_owner": owner})
    return commit.submit(Change(SYSTEM, writes=(held,), verb="turn.renew"))


def end_turn(run_id: UUID, *, owner: str, turned: int) -> Future[Outcome]:
    """Give a run back: everything wanted up to `turned` was seen to."""
    run = Run.objects.get(pk=run_id)
    values = {"turn_owner": "", "turn_until": None, "turned": turned}
    return commit.submit(
        Change(
            SYSTEM,
            run.workspace_id,
            writes=(Update("clawgroups.Run", run.pk, values, {"turn_owner": owner}),),
            verb="turn.end",
        )
    )


def runs_wanting(now: datetime) -> list[UUID]:
    """Runs whose turn is wanted and not held."""
    free = Q(turn_until=None) | Q(turn_until__lte=now)
    wanting = Run.objects.filter(free, wanted__gt=F("turned"), state__in=ACTIVE)
    return list(wanting.values_list("pk", flat=True))
