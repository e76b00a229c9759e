"""A deadline belongs to a thread; what blocks in it gets the time that is left."""

from __future__ import annotations

import threading

import pytest

from clawgroups.core import deadline
from clawgroups.core.deadline import Overrun, within


def test_without_a_deadline_a_calls_own_limit_counts() -> None:
    assert deadline.left(30) == 30
    deadline.check()


def test_a_call_gets_the_time_that_is_left_and_never_more_than_its_own_limit() -> None:
    with within(100):
        assert deadline.left(30) == 30
        assert 99 < deadline.left(1000) <= 100
    assert deadline.left(1000) == 1000


def test_an_inner_deadline_may_only_be_earlier() -> None:
    with within(10):
        with within(100):
            assert deadline.left(1000) <= 10
        with within(1):
            assert deadline.left(1000) <= 1
        assert deadline.left(1000) > 9


def test_when_no_time_is_left_nothing_may_begin() -> None:
    with within(0):
        with pytest.raises(Overrun):
            deadline.left(30)
        with pytest.raises(Overrun):
            deadline.check()


def test_another_thread_has_another_deadline() -> None:
    found: list[float] = []
    with within(1):
        thread = threading.Thread(target=lambda: found.append(deadline.left(30)))
        thread.start()
        thread.join(10)
    assert found == [30]
