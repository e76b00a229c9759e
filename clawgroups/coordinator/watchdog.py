"""Proves all the time that nothing open waits silently, records the proof, and repairs what it may (design.md 4).

The proof stands in the lease `watchdog`: when it was made, how much was looked at, and the exceptions. One
that is still there at the next look is told in the log, once, and repaired where that is safe. A repair looks at
what is so now, not at how it came about, and is fenced by it: whoever moved the row meanwhile has priority.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from clawgroups import bus, commit
from clawgroups.coordinator.evidence import look
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import ClawError
from clawgroups.core.invariants import ActiveRun, Allowance, Breach, Kind, World, breaches
from clawgroups.models import Approval, Lease, Task
from clawgroups.services import approvals, escalating, repairs, tasks, turns
from clawgroups.services.deadlines import name_of

log = logging.getLogger(__name__)

NAME = "watchdog"
EVERY = timedelta(seconds=10)
STALE = 60.0  # seconds after which a proof proves nothing any more
KEPT = 200  # exceptions that are told one by one
REPAIRED = 50  # at most so many repairs at one look
AWAY = Allowance(overdue=None)
PRESENT = Allowance()

Json = dict[str, Any]


def watch(now: datetime, *, quiet: bool = False) -> bool:
    """Make the proof anew when the last one is ten seconds old. Call it under the sweep's lease.

    `quiet`: we were away until just now, so what is late is late by our fault.
    """
    lease, _ = Lease.objects.get_or_create(name=NAME, defaults={"owner": bus.PROCESS, "until": now})
    if lease.done_at is not None and lease.done_at <= now < lease.done_at + EVERY:
        return False
    seen = look()
    world = _remembering(seen, lease.detail.get("wanting", {}), now)
    found = breaches(world, now, AWAY if quiet else PRESENT)
    before = {one["key"]: one for one in lease.detail.get("exceptions", [])}
    lasting = [breach for breach in found if breach.key in before]
    for breach in lasting:
        if not before[breach.key]["told"]:
            log.error("the proof has an exception: %s (%s): %s", breach.kind.counted(1), breach.title, breach.sentence)
    # Before it is recorded: a proof says what was found, and a repair that fails is tried at the next one.
    for breach in lasting[:REPAIRED]:
        _repair(breach, now)
    Lease.objects.filter(name=NAME).update(
        owner=bus.PROCESS, until=now + EVERY, done_at=now, detail=proof(world, found, before, now)
    )
    return True


def proof(world: World, found: Sequence[Breach], before: Mapping[str, Json], now: datetime) -> Json:
    """What is recorded of a look: its size, its exceptions since when, and what the next look has to know."""
    kinds: dict[str, int] = {}
    for breach in found:
        kinds[breach.kind.name] = kinds.get(breach.kind.name, 0) + 1
    return {
        "open": len(world.tasks),
        "attempts": len(world.attempts),
        "approvals": len(world.approvals),
        "runs": len(world.runs),
        "kinds": kinds,
        "exceptions": [exception(breach, before.get(breach.key), now) for breach in found[:KEPT]],
        "wanting": {
            str(run.id): [run.turned, run.wanting_since.isoformat()]
            for run in world.runs
            if run.wanting_since is not None
        },
    }


def exception(breach: Breach, before: Json | None, now: datetime) -> Json:
    """A breach as it is recorded and shown."""
    return {
        "key": breach.key,
        "kind": breach.kind.name,
        "task": _text(breach.task_id),
        "run": _text(breach.run_id),
        "title": breach.title,
        "since": before["since"] if before else now.isoformat(),
        "told": before is not None,
        "sentence": breach.sentence,
    }


def summary(kinds: Mapping[str, int]) -> str:
    """What is wrong, in a few words without names: "2 open tasks without a next step"; empty when nothing is."""
    return ", ".join(Kind[name].counted(number) for name, number in kinds.items())


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _remembering(world: World, wanting: Mapping[str, Any], now: datetime) -> World:
    """The world with what the last look knew: since when a turn is wanted."""
    return replace(world, runs=tuple(_since(run, wanting.get(str(run.id)), now) for run in world.runs))


def _since(run: ActiveRun, known: Sequence[Any] | None, now: datetime) -> ActiveRun:
    if not run.wants(now):
        return run
    # Another turn that is wanted now is not the one that was wanted then.
    same = known is not None and known[0] == run.turned
    return replace(run, wanting_since=datetime.fromisoformat(known[1]) if same and known else now)


def _repair(breach: Breach, now: datetime) -> None:
    try:
        future = _remedy(breach, now)
        if future is not None and commit.wait(future).applied:
            log.warning("repaired: %s (%s)", breach.kind.counted(1), breach.title)
    except ClawError as moved:
        log.info("not repaired, it has moved on: %s: %s", breach.title, moved)


def _remedy(breach: Breach, now: datetime) -> Future[Outcome] | None:
    """The safe thing to do about an exception; None where only a person can know."""
    match breach.kind:
        case Kind.STILL | Kind.OVERDUE if breach.run_id is not None:
            return turns.want_turn([breach.run_id])
        case Kind.WRONG_PARENTS if breach.task_id is not None:
            return repairs.recount_parents(breach.task_id, was=breach.was, should=breach.should)
        case Kind.WRONG_TASKS if breach.run_id is not None:
            return repairs.recount_tasks(breach.run_id, was=breach.was, should=breach.should)
        case Kind.NO_NEXT_STEP | Kind.NO_ATTEMPT | Kind.MEMBER_GONE if breach.task_id is not None:
            return _give_on(breach.task_id, breach.sentence)
        case Kind.OWED_TO_NOBODY if breach.row_id is not None:
            return repairs.void_owed(breach.row_id)
        case Kind.NOT_PASSED_ON if breach.row_id is not None:
            return escalating.escalate(breach.row_id, now, to_all=True)
        case Kind.BAD_APPROVAL if breach.row_id is not None:
            return _end_question(breach.row_id, now)
        case _:
            return None


def _end_question(approval_id: UUID, now: datetime) -> Future[Outcome]:
    """Nobody can answer it: its agent is told so, as if its time were over, or its attempt."""
    expires_at = Approval.objects.values_list("expires_at", flat=True).get(pk=approval_id)
    return approvals.expire_approval(approval_id, at=now) if expires_at <= now else approvals.void_approval(approval_id)


def _give_on(task_id: UUID, reason: str) -> Future[Outcome] | None:
    """A task in an agent's hands goes to another one; for every other one the run's person is named."""
    task = Task.objects.select_related("run").get(pk=task_id)
    who = name_of(task.run)
    if task.state in ("assigned", "working"):
        return tasks.release_task(task.pk, reason=reason, epoch=task.epoch, actor=SYSTEM)
    if task.state == "ready":
        return tasks.stick_task(task.pk, reason=reason, who=who, actor=SYSTEM)
    if (task.next_actor, task.reason) == (who, reason):
        return None  # said already
    return repairs.name_person(task.pk, reason=reason, who=who)
