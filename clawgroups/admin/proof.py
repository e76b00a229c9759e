"""The proof that nothing waits silently: what is open, whom it waits for, and the exceptions. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from clawgroups.coordinator import watchdog
from clawgroups.coordinator.evidence import look
from clawgroups.core.invariants import Breach, Kind, OpenTask, World, breaches
from clawgroups.models import Lease

SHOWN = 100
LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Exceptional:
    """One exception, since when it has been known, and how it is called."""

    breach: Breach
    name: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """One open task, with its run's goal."""

    task: OpenTask
    goal: str
    late: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows: the proof made for this look, and the watchdog's own last one."""

    world: World
    exceptions: list[Exceptional]
    lines: Page[Line]
    proven_at: datetime | None
    is_fresh: bool
    said: str


def shown(page: str | int = 1) -> Shown:
    """The proof at this moment. The earliest deadlines come first."""
    now = timezone.now()
    world = look()
    lease = Lease.objects.filter(name=watchdog.NAME).first()
    known = {} if lease is None else {one["key"]: one["since"] for one in lease.detail.get("exceptions", [])}
    found = breaches(world, now)
    proven_at = lease.done_at if lease else None
    goals = {run.id: run.goal for run in world.runs}
    lines = [
        Line(task, goals.get(task.run_id, ""), task.deadline is not None and task.deadline < now)
        for task in sorted(world.tasks, key=lambda task: task.deadline or LAST)
    ]
    return Shown(
        world=world,
        exceptions=[Exceptional(b, b.kind.named, _since(known.get(b.key))) for b in found],
        lines=Paginator(lines, SHOWN).get_page(page),
        proven_at=proven_at,
        is_fresh=proven_at is not None and (now - proven_at).total_seconds() <= watchdog.STALE,
        said=_said(found),
    )


def _since(at: str | None) -> datetime | None:
    return parse_datetime(at) if at else None


def _said(found: Sequence[Breach]) -> str:
    kinds: dict[Kind, set[UUID | str]] = {}
    for breach in found:
        kinds.setdefault(breach.kind, set()).add(breach.key)
    return ", ".join(kind.counted(len(keys)) for kind, keys in kinds.items())
