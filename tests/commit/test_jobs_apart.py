"""How often the same job is asked of the workers."""

from __future__ import annotations

import pytest

from clawgroups.bus import APART, Jobs

REACT = ("clawgroups.react", ("one",))
OTHER = ("clawgroups.react", ("another",))


def test_the_first_message_for_a_job_is_sent_at_once() -> None:
    jobs = Jobs()
    assert jobs.wait(7.0) is None
    jobs.ask(REACT)
    assert jobs.wait(7.0) == 0
    assert jobs.due(7.0) == [REACT]
    assert jobs.wait(7.0) is None


def test_what_is_asked_again_soon_is_sent_once_and_not_lost() -> None:
    jobs = Jobs()
    jobs.ask(REACT)
    jobs.due(7.0)
    jobs.ask(REACT)
    jobs.ask(REACT)
    assert jobs.due(7.0 + APART / 2) == []
    assert jobs.wait(7.0 + APART / 2) == pytest.approx(APART / 2)
    assert jobs.due(7.0 + APART) == [REACT]
    assert jobs.due(7.0 + 3 * APART) == []


def test_a_job_waits_for_none_but_its_own_like() -> None:
    jobs = Jobs()
    jobs.ask(REACT)
    jobs.due(7.0)
    jobs.ask(OTHER)
    jobs.ask(REACT)
    assert jobs.wait(7.0) == 0
    assert jobs.due(7.0) == [OTHER]
