"""One bounded turn of the coordinator on one run. Safe to repeat, to lose and to kill at any point.

Everything is decided from rows and carried out by fenced changes, so a turn that died half-way is
simply followed by another one.
"""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from uuid import UUID, uuid4

from django.db import DatabaseError
from django.utils import timezone

from clawgroups import bus, commit
from clawgroups.coordinator.act import act, give_up
from clawgroups.coordinator.decide import decide
from clawgroups.coordinator.situation import situation_of
from clawgroups.core.errors import ClawError, Forbidden, Invalid, NotFound
from clawgroups.models import Run
from clawgroups.services import turns

log = logging.getLogger(__name__)

MAX_ROUNDS = 20


def take_turn(run_id: UUID) -> bool:
    """Do what the run calls for now. False when no turn was wanted or another process holds it."""
    owner = f"{bus.PROCESS}-{uuid4().hex[:8]}"
    claim = turns.claim_turn(run_id, owner=owner)
    if claim is None:
        return False
    outcome = commit.wait(claim)
    if not outcome.applied:
        return False
    try:
        with _Held(run_id, owner, outcome.answer["lease"]) as held:
            for _ in range(MAX_ROUNDS):
                if held.lost or not _round(run_id):
                    break
    finally:
        commit.wait(turns.end_turn(run_id, owner=owner, turned=outcome.answer["wanted"]))
    return True


class _Held:
    """Renews the lease of a turn for as long as it takes; a process that is killed stops doing so at once."""

    def __init__(self, run_id: UUID, owner: str, lease: float) -> None:
        self.lost = False
        self._run_id, self._owner, self._lease = run_id, owner, lease
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"turn {run_id}", daemon=True)

    def __enter__(self) -> _Held:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self.lost and not self._over.wait(self._lease / 3):
            try:
                renewed = commit.wait(turns.renew_turn(self._run_id, owner=self._owner, lease=self._lease))
                self.lost = not renewed.applied
            except (ClawError, DatabaseError) as fault:
                log.warning("the turn of run %s could not be renewed: %s", self._run_id, fault)


def _round(run_id: UUID) -> bool:
    """One look and its steps; whether another look is worth it."""
    run = Run.objects.get(pk=run_id)
    situation = situation_of(run, timezone.now())
    steps = decide(situation)
    try:
        for step in steps:
            act(step, situation)
    except (Forbidden, NotFound, Invalid) as fault:
        give_up(run_id, fault, situation.asked_by)
        return False
    return bool(steps)
