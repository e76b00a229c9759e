"""One bounded turn of the coordinator on one run. Safe to repeat, to lose and to kill at any point.

Everything is decided from rows and carried out by fenced changes, so a turn that died half-way is
simply followed by another one.
"""

from __future__ import annotations

import logging
from uuid import UUID

from django.utils import timezone

from clawgroups import bus, commit
from clawgroups.coordinator.act import act, give_up
from clawgroups.coordinator.decide import decide
from clawgroups.coordinator.situation import situation_of
from clawgroups.core.errors import Forbidden, Invalid, NotFound
from clawgroups.models import Run
from clawgroups.services import turns

log = logging.getLogger(__name__)

MAX_ROUNDS = 20


def take_turn(run_id: UUID) -> bool:
    """Do what the run calls for now. False when no turn was wanted or another process holds it."""
    claim = turns.claim_turn(run_id, owner=bus.PROCESS)
    if claim is None:
        return False
    outcome = commit.wait(claim)
    if not outcome.applied:
        return False
    try:
        for _ in range(MAX_ROUNDS):
            if not _round(run_id):
                break
    finally:
        commit.wait(turns.end_turn(run_id, owner=bus.PROCESS, turned=outcome.answer["wanted"]))
    return True


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
