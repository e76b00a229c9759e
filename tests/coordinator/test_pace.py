"""Turns on one run follow each other in a steady pace, and no wish for one is lost."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from clawgroups.coordinator.pace import APART, Pace


class Hall:
    """A clock that moves when somebody sleeps; whoever arrives meanwhile does so in `meanwhile`."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self.late: list[bool] = []
        self.meanwhile: UUID | None = None
        self.pace = Pace(lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.meanwhile is not None:
            self.late.append(self.pace.arrives(self.meanwhile))
        self.now += seconds


def test_the_first_turn_begins_at_once_and_the_next_one_a_while_later() -> None:
    hall, run = Hall(), uuid4()
    assert hall.pace.arrives(run)
    assert hall.slept == []
    hall.now += APART / 4
    assert hall.pace.arrives(run)
    assert hall.slept == [pytest.approx(APART * 3 / 4)]
    hall.now += 2 * APART
    assert hall.pace.arrives(run)
    assert len(hall.slept) == 1


def test_who_comes_while_somebody_waits_leaves_it_to_them() -> None:
    hall, run = Hall(), uuid4()
    assert hall.pace.arrives(run)
    hall.meanwhile = run
    assert hall.pace.arrives(run)
    assert hall.late == [False]


def test_runs_do_not_wait_for_each_other() -> None:
    hall, run, other = Hall(), uuid4(), uuid4()
    assert hall.pace.arrives(run)
    assert hall.pace.arrives(other)
    assert hall.slept == []
