"""Our own outages: noticed by the sweeper, and all deadlines of work in hand moved on by their length.

What was found stands in a lease row of its own, so that a worker that is started anew goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from agents.models import Connection
from clawgroups import commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Fact, Update, Write
from clawgroups.core.clocks import COLUMNS, attempt_after_rest
from clawgroups.core.events import OutageOver
from clawgroups.core.outage import Finding, Pulse, look
from clawgroups.core.timers import Timers
from clawgroups.models import Approval, Lease, Task, Workspace
from clawgroups.services.contact import GATEWAY
from clawgroups.services.deadlines import in_hand, timers_of, waits_in_hand

SWEEP = "sweep"
OUTAGE = "outage"
GAP = 30.0  # seconds: three leases of the sweep
LAPSE = 30.0  # three heartbeats of the gateway
# Below these nothing is an outage, however fast the clock is scaled.
LEAST_GAP = 5.0
LEAST_LAPSE = 2.0
TRIES = 5
MOVING = ("ready", "assigned", "working", "in_review", "held", "stuck")


def notice(now: datetime) -> Finding:
    """Look at our own pulse; when an outage is over, move every deadline on by its length."""
    leases = {lease.name: lease for lease in Lease.objects.filter(name__in=[SWEEP, GATEWAY, OUTAGE])}
    kept = leases[OUTAGE].detail if OUTAGE in leases else {}
    pulse = Pulse(
        swept_at=leases[SWEEP].done_at if SWEEP in leases else None,
        gateway_at=leases[GATEWAY].done_at if GATEWAY in leases else None,
        away_since=_moment(kept.get("away_since")),
        quiet_until=_moment(kept.get("quiet_until")),
    )
    timers = Timers().scaled(settings.CLOCK_SCALE)
    found = look(
        pulse,
        now,
        gap=_scaled(GAP, LEAST_GAP),
        lapse=_scaled(LAPSE, LEAST_LAPSE),
        quiet=timedelta(seconds=timers.lost_contact + timers.grace),
    )
    if found.over is not None:
        make_up(found.over, now)
    if (found.away_since, found.quiet_until) != (pulse.away_since, pulse.quiet_until):
        _keep(found, now)
    return found


def _scaled(seconds: float, least: float) -> timedelta:
    return timedelta(seconds=max(seconds * settings.CLOCK_SCALE, least))


def _moment(said: Any) -> datetime | None:
    return datetime.fromisoformat(said) if said else None


def _keep(found: Finding, now: datetime) -> None:
    said = {
        "away_since": found.away_since.isoformat() if found.away_since else None,
        "quiet_until": found.quiet_until.isoformat() if found.quiet_until else None,
    }
    values = {"owner": SWEEP, "until": found.quiet_until or now, "done_at": now, "detail": said}
    Lease.objects.update_or_create(name=OUTAGE, defaults=values)


def make_up(since: datetime, now: datetime) -> None:
    """Give back what an outage took: one change per workspace, once however often it is repeated."""
    _links(now - since, now)
    for workspace in Workspace.objects.filter(runs__state="running").distinct():
        for _ in range(TRIES):
            change = _shift(workspace, since, now)
            if change is None or commit.wait(commit.submit(change)).applied:
                break


def _links(away: timedelta, now: datetime) -> None:
    """Every link that was open has a whole lease from now on."""
    for pk, seen in Connection.objects.filter(closed_at=None).values_list("pk", "seen_at"):
        # One that was renewed meanwhile needs nothing.
        renewed = Update("agents.Connection", pk, {"seen_at": min(seen + away, now)}, {"seen_at": seen})
        commit.submit(Change(SYSTEM, writes=(renewed,), verb="outage.links"))


def _shift(workspace: Workspace, since: datetime, now: datetime) -> Change | None:
    """All deadlines of a workspace's open work, moved on. A run's own does not rest for us either."""
    tasks = Task.objects.select_related("run", "attempt__member").filter(
        workspace=workspace, state__in=MOVING, run__state="running"
    )
    writes: list[Write] = []
    for task in tasks:
        task.workspace = workspace
        writes += _moved(task, since, now)
    writes += _questions(workspace.pk, now - since)
    if not writes:
        return None
    fact = OutageOver(seconds=round((now - since).total_seconds()))
    return Change(
        SYSTEM,
        workspace.pk,
        writes=tuple(writes),
        facts=(Fact(workspace.pk, fact),),
        operation=f"outage:{since.isoformat()}",
        verb="outage.over",
    )


def _moved(task: Task, since: datetime, now: datetime) -> Iterable[Write]:
    """One task and its attempt. What rests is moved on at the end of its rest, by what the outage adds to it."""
    away = now - since
    attempt = task.attempt
    timers = timers_of(task.workspace)
    before = away if task.resting_since is None else max(task.resting_since - since, timedelta(0))
    values: dict[str, Any] = {}
    if task.close_by is not None:
        task.close_by += before
        values["close_by"] = task.close_by
    if attempt is not None and attempt.state in ("offered", "working"):
        idle = away if task.state == "held" else before
        clocks = attempt_after_rest({name: getattr(attempt, name) for name in COLUMNS}, idle, now, timers)
        yield Update("clawgroups.Attempt", attempt.pk, clocks, {"state": attempt.state})
        if task.resting_since is None and task.state in ("assigned", "working"):
            values |= waits_in_hand(task, in_hand(attempt, **clocks), attempt.member.name, now)
    if "deadline_at" not in values and task.deadline_at is not None:
        end = task.run.deadline_at
        later = task.deadline_at + away
        # The run's own deadline stands where it stood.
        values["deadline_at"] = later if end is None or later < end else max(end, task.deadline_at)
    yield Update("clawgroups.Task", task.pk, values, _as_read(task))


def _as_read(task: Task) -> dict[str, Any]:
    return {"epoch": task.epoch, "state": task.state, "resting_since": task.resting_since}


def _questions(workspace_id: UUID, away: timedelta) -> Iterable[Write]:
    """Nobody could answer while we were away."""
    rows = Approval.objects.filter(workspace=workspace_id, state="open").values_list("pk", "expires_at", "escalates_at")
    for pk, expires_at, escalates_at in rows:
        later = {"escalates_at": escalates_at + away} if escalates_at is not None else {}
        seen = {"state": "open", "escalates_at": escalates_at}
        yield Update("clawgroups.Approval", pk, {"expires_at": expires_at + away, **later}, seen)
