"""The coordinator's wake-ups and turns, as rows: level-triggered, so that no wake-up can be lost.

A run wants a turn while `wanted > turned`. A turn holds the run by a lease; whoever finds the lease
run out may begin the next one, and whatever it does is fenced by the tasks' epochs.

A turn that does not give its run back has died: its worker was killed, or it hung. The next one counts
that and notes what it is about to do, a few steps at a time; those it died at come first and one by one in the
next, so that a step that kills its worker is known by the third time that it was noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Count, Fact, Insert, Outcome, Update
from clawgroups.core.events import RunPaused
from clawgroups.core.timers import Timers
from clawgroups.keyed import row_of
from clawgroups.models import Run, Workspace
from clawgroups.planned import Planned
from clawgroups.services import hearing, model_calls
from clawgroups.services.deadlines import database_now, timers_of
from clawgroups.services.messages import message

ACTIVE = ("planning", "proposed", "running", "consolidating")
MAX_CRASHES = 3
LEAST_SCALE = 0.5
MOST_DUE = 500


def react_to(workspace: Workspace, *, upto: int, runs: Iterable[UUID], asked: Iterable[Insert] = ()) -> Future[Outcome]:
    """Advance the reactions' cursor, wake these runs' coordinators and record these questions, in one change."""
    return commit.submit(
        Change(
            SYSTEM,
            workspace.pk,
            writes=(
                Update("clawgroups.Workspace", workspace.pk, {"reacted": upto}, {"reacted": workspace.reacted}),
                *(Count("clawgroups.Run", run, "wanted", 1) for run in runs),
                *asked,
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

    Answer: {"wanted", "lease", "limit", "crashes", "suspect"}: lease and the turn's time limit in seconds,
    how many turns in a row have died and at which steps (one a line; empty: not known).
    """
    run = row_of(Run, run_id, "workspace")
    if run is None:
        return None
    now = timezone.now()
    held = run.turn_until is not None and run.turn_until > now
    if held or run.wanted <= run.turned or run.state not in ACTIVE:
        return None
    lease = _lease(run.workspace)
    until = now + timedelta(seconds=lease)
    crashes = run.turn_crashes + bool(run.turn_owner)
    expect = {"turn_owner": run.turn_owner, "turn_until": run.turn_until, "turned": run.turned}
    values = {"turn_owner": owner, "turn_until": until, "turn_crashes": crashes}
    return commit.submit(
        Change(
            SYSTEM,
            run.workspace_id,
            writes=(Update("clawgroups.Run", run.pk, values, expect),),
            verb="turn.claim",
            answer={
                "wanted": run.wanted,
                "lease": lease,
                "limit": timers_of(run.workspace).turn,
                "crashes": crashes,
                "suspect": run.turn_step,
            },
        )
    )


def _lease(workspace: Workspace) -> float:
    """The seconds for which a turn holds its run: renewed through the database, which no clock scale makes faster."""
    scale: float = max(settings.CLOCK_SCALE, LEAST_SCALE)
    return Timers().overridden(workspace.timers).turn_lease * scale


def note_steps(run_id: UUID, *, owner: str, steps: Iterable[str], crashes: int) -> Future[Outcome]:
    """Say which steps a turn takes next, and how often turns have died at them. A mismatch: the run is not held."""
    values = {"turn_step": "\n".join(steps), "turn_crashes": crashes}
    noted = Update("clawgroups.Run", run_id, values, {"turn_owner": owner})
    return commit.submit(Change(SYSTEM, writes=(noted,), verb="turn.note"))


def renew_turn(run_id: UUID, *, owner: str, lease: float) -> Future[Outcome]:
    """Hold on to a run. A mismatch when the lease had run out and another turn began."""
    until = timezone.now() + timedelta(seconds=lease)
    held = Update("clawgroups.Run", run_id, {"turn_until": until}, {"turn_owner": owner})
    return commit.submit(Change(SYSTEM, writes=(held,), verb="turn.renew"))


def end_turn(run_id: UUID, *, owner: str, turned: int) -> Future[Outcome]:
    """Give a run back: everything wanted up to `turned` was seen to."""
    return _give_back(run_id, owner, {"turned": turned, "turn_crashes": 0, "turn_step": ""}, "turn.end")


def leave_turn(run_id: UUID, *, owner: str) -> Future[Outcome]:
    """Give a run back unfinished: the turn is still wanted, and nothing is held against it."""
    return _give_back(run_id, owner, {"turn_crashes": 0, "turn_step": ""}, "turn.leave")


def _give_back(run_id: UUID, owner: str, values: dict[str, Any], verb: str) -> Future[Outcome]:
    back = {"turn_owner": "", "turn_until": None, **values}
    write = Update("clawgroups.Run", run_id, back, {"turn_owner": owner})
    return commit.submit(Change(SYSTEM, writes=(write,), verb=verb))


def pause_for_a_person(run_id: UUID, *, reason: str) -> Future[Outcome]:
    """Park a running run until somebody resumes it, saying why in the chat. A mismatch when it moved on."""
    run = Run.objects.get(pk=run_id)
    said, spoken = message(run.workspace_id, body=reason, actor=SYSTEM, run_id=run.pk)
    values = {"paused": True, "reason": reason}
    facts = (spoken,) if run.paused else (spoken, Fact(run.workspace_id, RunPaused(run_id=run.pk)))
    expect = {"state": "running", "paused": run.paused}
    writes = (Update("clawgroups.Run", run.pk, values, expect), said)
    return commit.submit(Change(SYSTEM, run.workspace_id, writes=writes, facts=facts, verb="run.park"))


def runs_wanting(now: datetime) -> list[UUID]:
    """Runs whose turn is wanted and not held."""
    return [pk for pk, _ in _wanting(now)]


def is_wanted(run_id: UUID) -> bool:
    """Whether this run's turn is wanted and not held."""
    return _wanting_one.first(run_id, timezone.now()) is not None


def _free(now: datetime) -> QuerySet[Run, tuple[UUID, int]]:
    free = Q(turn_until=None) | Q(turn_until__lte=now)
    return Run.objects.filter(free, wanted__gt=F("turned"), state__in=ACTIVE).values_list("pk", "turned")


_wanting: Planned[tuple[UUID, int]] = Planned(_free)
_wanting_one: Planned[tuple[UUID, int]] = Planned(lambda run_id, now: _free(now).filter(pk=run_id))
_behind: Planned[tuple[UUID, int]] = Planned(
    lambda: Workspace.objects.filter(head__gt=F("reacted")).order_by().values_list("pk", "reacted")[:MOST_DUE]
)


def behind() -> dict[UUID, int]:
    """Workspaces whose journal is further than the reactions to it, and how far those are."""
    return dict(_behind())


def due_work() -> dict[tuple[str, UUID], int]:
    """Everything that is due (reactions, turns, questions) with how far it has come: what stands still nobody does."""
    due = {("react", pk): reacted for pk, reacted in behind().items()}
    wanting = _wanting(timezone.now())[:MOST_DUE]
    asked = model_calls.due_calls(database_now(), MOST_DUE)
    heard = {("hear", pk): n for pk, n in hearing.due(MOST_DUE).items()}
    return (
        due
        | {("coordinate", pk): turned for pk, turned in wanting}
        | {("consult", pk): n for pk, n in asked.items()}
        | heard
    )
