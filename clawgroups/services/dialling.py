"""Verbs of the process that dials: taken, renewed, ended. A dial is a lease, fenced by its epoch.

The rows say when whose turn it is, so that pauses outlive processes and any process goes on where another ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from agents.models import Connection, Dial
from clawgroups import bus, commit
from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Outcome, Update
from clawgroups.core.errors import NotFound
from clawgroups.core.retries import back_off
from clawgroups.services import installation
from clawgroups.services.deadlines import database_now

LEASE = 30.0  # seconds that a dial is a silent process's
LEAST, FIRST, LONGEST = 1.0, 4.0, 60.0  # seconds between two tries


@dataclass(frozen=True, slots=True)
class Look:
    """Which of the held dials are another's by now (or gone), and which agents are to be dialled."""

    moved: tuple[UUID, ...]
    due: tuple[UUID, ...]


def look(held: Mapping[UUID, int], free: int) -> Look:
    """What the rows say to a process that is at these dials (agent -> epoch) and has room for `free` more."""
    if not installation.is_on("dialling"):
        return Look(tuple(held), ())
    epochs = dict(Dial.objects.filter(pk__in=list(held)).values_list("pk", "epoch"))
    moved = tuple(agent_id for agent_id, epoch in held.items() if epoch and epochs.get(agent_id) != epoch)
    due = _due(database_now()).exclude(pk__in=list(held)).order_by("next_at").values_list("pk", flat=True)
    return Look(moved, tuple(due[:free]))


def _due(now: datetime) -> QuerySet[Dial, Dial]:
    """Nobody is at them, their time has come, and the agent has not come in by itself."""
    by_itself = Connection.objects.filter(agent=OuterRef("agent"), closed_at=None, key__isnull=False)
    return Dial.objects.filter(
        ~Q(state="refused"),
        Q(until=None) | Q(until__lte=now),
        ~Exists(by_itself),
        next_at__lte=now,
        agent__retired_at=None,
    )


def claim_dial(agent_id: UUID, *, process: str) -> Future[Outcome]:
    """Take a dial. Answer: {"epoch"}. Raises `NotFound` where there is nothing to be done, or another is at it."""
    now = database_now()
    dial = _due(now).filter(pk=agent_id).first() if installation.is_on("dialling") else None
    if dial is None:
        raise NotFound("There is nobody to be dialled.")
    epoch = dial.epoch + 1
    values = {"state": "dialling", "since": now, "epoch": epoch, "process": process, "until": now + _lease()}
    write = Update("agents.Dial", dial.pk, values, {"epoch": dial.epoch})
    return commit.submit(Change(SYSTEM, writes=(write,), verb="dial.claim", answer={"epoch": epoch}))


def claimed(agent_id: UUID, epoch: int) -> Dial | None:
    """The dial as it was taken; None where somebody has changed it since."""
    return Dial.objects.select_related("agent").filter(pk=agent_id, epoch=epoch).first()


def renew_dials(held: Mapping[UUID, int]) -> Future[Outcome]:
    """Renew the leases (agent -> epoch) that are still ours."""
    until = database_now() + _lease()
    rows = Dial.objects.filter(pk__in=list(held)).values_list("pk", "epoch")
    writes = tuple(
        Update("agents.Dial", pk, {"until": until}, {"epoch": epoch}) for pk, epoch in rows if held[pk] == epoch
    )
    return commit.submit(Change(SYSTEM, writes=writes, verb="dial.renew"))


def dial_ended(agent_id: UUID, *, epoch: int, said: str, tries: int, again: float | None) -> Future[Outcome]:
    """A try or a connection has ended: the next one after `again` seconds, or (None) when its owner says so."""
    now = database_now()
    values = {
        "state": "refused" if again is None else "waiting",
        "said": said[:300],
        "since": now,
        "tries": tries,
        "next_at": now + timedelta(seconds=again or 0.0),
        "process": "",
        "until": None,
    }
    write = Update("agents.Dial", agent_id, values, {"epoch": epoch})
    return commit.submit(Change(SYSTEM, writes=(write,), verb="dial.ended", wakes=(bus.dials_topic(),)))


def pause_after(tries: int, chance: float) -> float:
    """Seconds until the next try, when so many have failed; `chance` is in [0, 1)."""
    longest = back_off(tries, base=FIRST, cap=LONGEST, chance=1.0)
    scale: float = settings.CLOCK_SCALE
    return (LEAST + (longest - LEAST) * chance) * scale


def _lease() -> timedelta:
    return timedelta(seconds=LEASE * settings.CLOCK_SCALE)
