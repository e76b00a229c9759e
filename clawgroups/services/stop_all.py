"""Stopping everything to its end, change by change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from clawgroups.core.actors import Actor
from clawgroups.core.errors import Conflict
from clawgroups.fragments.stop_progress import Progress, progress_of
from clawgroups.services.perform import perform
from clawgroups.services.stopping import NOT_RUNNING, stop_run


def stop_each(runs: Iterable[UUID], stop: Callable[[UUID], object], *, actor: Actor) -> Progress:
    """Stop these runs to their end; `stop` is the door's way to `stop_run`. One that is over meanwhile keeps no other
    from being stopped."""
    total = Progress()
    for run_id in runs:
        try:
            stop(run_id)
        except Conflict as over:
            if over.code != NOT_RUNNING:
                raise
            continue
        total += stop_the_rest(run_id, actor=actor)
    return total


def stop_the_rest(run_id: UUID, *, actor: Actor) -> Progress:
    """Once `stop_run` has paused a run: stop what that change has left, and what was given out at that very moment.

    From the pause on nothing new is given out, so it comes to an end. Safe to repeat; nothing once the run goes on.
    """
    while perform(stop_run, run_id, actor=actor, more=True).answer["asked"]:
        pass
    return progress_of(run_id)
