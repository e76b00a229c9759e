"""One bounded turn of the coordinator on one run. Safe to repeat, to lose and to kill at any point.

Everything is decided from rows and carried out by fenced changes, so a turn that died half-way is
simply followed by another one. A turn whose time is over stops acting and is not renewed: its lease
lapses, and another one goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4

from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils import timezone

from clawgroups import bus, commit
from clawgroups.coordinator.act import Done, act, give_up, park
from clawgroups.coordinator.decide import Adopt, Review, Step, Tell, decide
from clawgroups.coordinator.situation import Situation, situation_of
from clawgroups.core import deadline
from clawgroups.core.deadline import Overrun
from clawgroups.core.errors import Busy, ClawError, Forbidden, Invalid, NotFound, OutcomeUnknown
from clawgroups.models import Run, Task
from clawgroups.permissions import seats_kept
from clawgroups.planned import Planned
from clawgroups.services import turns

log = logging.getLogger(__name__)

MAX_ROUNDS = 60
MAX_STEPS = 100  # of a round: what comes up meanwhile, results above all, shall not wait for long
SIDE_BY_SIDE = 50  # steps that are under way at once, and so are committed together
FEW = 8
_ready: Planned[UUID] = Planned(
    lambda run_id: (
        Task.objects.filter(run_id=run_id, state="ready", paused="").order_by().values_list("pk", flat=True)[:1]
    )
)


def take_turn(run_id: UUID, *, stuck: Callable[[UUID], None] | None = None) -> bool:
    """Do what the run calls for now. False when no turn was wanted or another process holds it.

    `stuck` is called, from another thread, for a turn that does not end in twice its time limit: a
    thread cannot be stopped from outside, only its process can.
    """
    owner = f"{bus.PROCESS}-{uuid4().hex[:8]}"
    claim = turns.claim_turn(run_id, owner=owner)
    if claim is None:
        return False
    outcome = commit.wait(claim)
    if not outcome.applied:
        return False
    turn = _Turn(run_id, owner, outcome.answer, stuck)
    with deadline.within(outcome.answer["limit"]), turn:
        finished = _carry_out(turn)
    if finished:
        commit.wait(turns.end_turn(run_id, owner=owner, turned=outcome.answer["wanted"]))
        if turns.is_wanted(run_id):
            # Whoever was sent for it meanwhile found the run held.
            bus.enqueue("clawgroups.coordinate", str(run_id))
    elif finished is not None:
        commit.wait(turns.leave_turn(run_id, owner=owner))
    return True


def _carry_out(turn: _Turn) -> bool | None:
    """Whether everything was seen to; None leaves the turn to be counted as one that died."""
    try:
        if turn.crashes >= turns.MAX_CRASHES:
            park(turn.run_id, turn.suspects[0] if len(turn.suspects) == 1 else "")
            turn.forget()
        for _ in range(MAX_ROUNDS):
            if turn.lost or not _round(turn):
                break
    except (Busy, OutcomeUnknown, OperationalError, InterfaceError) as away:
        # Nothing of this is the run's fault; the sweep finds that its turn is still wanted.
        log.warning("the turn of run %s is left to another one: %s", turn.run_id, away)
        return False
    except Overrun:
        log.warning("the turn of run %s took too long and is left to another one", turn.run_id)
        return False if turn.acted else None
    except Exception:
        log.exception("the turn of run %s failed", turn.run_id)
        return None
    # Who lost the run in the middle has not seen to everything, whoever holds it now.
    return not turn.lost


def _round(turn: _Turn) -> bool:
    """One look and its steps; whether another look is worth it.

    What the steps of a running one make possible is told by the journal, as everything else is; not that a late result
    was turned down, nor that there were too many to tell at once. A look to find out that there is no more to do yet
    costs as much as one that finds something. But a verdict often sets tasks free: those that had to wait for the next
    turn would do so for as long again as for the verdict.
    """
    turn.missed = False
    run = Run.objects.select_related("workspace").get(pk=turn.run_id)
    situation = situation_of(run, timezone.now())
    steps = decide(situation)
    try:
        for part in _parts(turn, steps):
            if not _carry_out_part(turn, part, situation):
                return False
    except (Forbidden, NotFound, Invalid) as fault:
        give_up(turn.run_id, fault, situation.asked_by)
        return False
    untold = turn.missed or len(steps) > MAX_STEPS or any(isinstance(step, Adopt | Tell) for step in steps)
    return bool(steps) and (untold or situation.state != "running" or turn.set_free(steps, situation))


def _parts(turn: _Turn, steps: Sequence[Step]) -> list[list[Step]]:
    """The steps of this round, as they are carried out side by side.

    Those among which turns died come first and in smaller parts, in the end one by one: whatever came before them
    would hide them again.
    """
    suspects = [step for step in steps if name_of(step) in turn.suspects]
    others = [step for step in steps if step not in suspects]
    return _cut(suspects, FEW if len(suspects) > FEW else 1) + _cut(others[:MAX_STEPS], SIDE_BY_SIDE)


def _cut(steps: Sequence[Step], size: int) -> list[list[Step]]:
    return [list(steps[at : at + size]) for at in range(0, len(steps), size)]


def _carry_out_part(turn: _Turn, steps: Sequence[Step], situation: Situation) -> bool:
    """Carry some steps out side by side; False when the run is not held any more."""
    if not turn.begins(steps):
        return False
    begun: list[Done] = []
    try:
        with seats_kept():
            for step in steps:
                deadline.check()
                if turn.lost:
                    return False
                if (done := act(step, situation)) is None:
                    turn.missed = True
                else:
                    begun.append(done)
        for done in begun:
            if done():
                turn.acted = True
            else:
                turn.missed = True
    except Overrun:
        # What was handed over is written, whether anybody waits for it or not.
        turn.acted |= bool(begun)
        raise
    return True


def name_of(step: Step) -> str:
    """What a step is called in the run's row: its kind, and the task that it is about."""
    return f"{type(step).__name__} {getattr(step, 'task_id', '')}".strip()


class _Turn:
    """Renews the lease of a turn until its deadline; a process that is killed stops doing so at once."""

    def __init__(
        self, run_id: UUID, owner: str, claimed: Mapping[str, Any], stuck: Callable[[UUID], None] | None
    ) -> None:
        self.run_id = run_id
        self.lost = self.acted = False
        self.missed = False
        """Whether a step of this round was not needed any more: the world has moved on since it was looked at."""
        self.crashes: int = claimed["crashes"]
        self.suspects: list[str] = claimed["suspect"].splitlines()
        self._judged = False
        self._owner, self._stuck = owner, stuck
        self._lease: float = claimed["lease"]
        self._limit: float = claimed["limit"]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"turn {run_id}", daemon=True)

    def __enter__(self) -> _Turn:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def begins(self, steps: Sequence[Step]) -> bool:
        """Note steps before they are taken, where turns have died before; False when the run is not held any more."""
        names = [name_of(step) for step in steps]
        if self.crashes and not self.lost:
            if names != self.suspects:
                # Not those that it died at, or fewer of them, or they are not known: this may still be it.
                self.crashes, self.suspects = 1, names
            noted = turns.note_steps(self.run_id, owner=self._owner, steps=names, crashes=self.crashes)
            self.lost = not commit.wait(noted).applied
        return not self.lost

    def set_free(self, steps: Sequence[Step], situation: Situation) -> bool:
        """Whether results were judged, for the first time in this turn, and tasks now wait to be given out."""
        judged = not self._judged and any(isinstance(step, Review) for step in steps)
        self._judged |= judged
        rests = situation.paused or situation.used_up
        return judged and not rests and _ready.first(self.run_id) is not None

    def forget(self) -> None:
        """What it died at is in a person's hands now."""
        self.crashes, self.suspects = 0, []

    def _renew(self) -> None:
        # The deadline of a thread does not reach into this one.
        with deadline.within(self._limit):
            while not self.lost and not self._over.wait(self._lease / 3):
                try:
                    renewed = commit.wait(turns.renew_turn(self.run_id, owner=self._owner, lease=self._lease))
                    self.lost = not renewed.applied
                except Overrun:
                    break
                except (ClawError, DatabaseError) as fault:
                    log.warning("the turn of run %s could not be renewed: %s", self.run_id, fault)
        if not self._over.wait(self._limit) and self._stuck is not None:
            self._stuck(self.run_id)
