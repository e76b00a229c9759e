"""Axes have round steps, bars that overlap lie in lanes, and it is counted how many worked at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgroups.core.timeline import STEPS, axis, crowd, earliest, lanes

NOON = datetime(2026, 5, 4, 12, 3, 7, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@settings(max_examples=40)
@given(st.floats(0, 10_000_000), st.integers(4, 12))
def test_an_axis_holds_what_it_is_for_in_equal_round_steps(seconds: float, most: int) -> None:
    end = NOON + timedelta(seconds=seconds)
    found = axis(NOON, end, most)
    assert found.start <= NOON
    assert end <= found.end
    assert found.step in STEPS
    assert found.start.timestamp() % found.step == 0
    assert 1 <= len(found.ticks) <= most + 2
    assert found.ticks[-1] + timedelta(seconds=found.step) == found.end


@pytest.mark.parametrize(
    ("seconds", "step", "first"),
    [(5, 1, "12:03:07"), (600, 120, "12:02:00"), (3600, 600, "12:00:00"), (9000, 1800, "12:00:00")],
)
def test_steps_are_those_that_people_count_in(seconds: int, step: int, first: str) -> None:
    found = axis(NOON, NOON + timedelta(seconds=seconds))
    assert (found.step, f"{found.start:%H:%M:%S}") == (step, first)


def test_a_moment_has_a_place_and_what_is_outside_stands_at_the_border() -> None:
    found = axis(at(0), at(60))
    assert [found.share(one) for one in (found.start, found.start + (found.end - found.start) / 4)] == [0.0, 25.0]
    assert [found.share(at(minutes)) for minutes in (-99, 999)] == [0.0, 100.0]
    assert found.shows(at(-5), at(5))
    assert not found.shows(at(-50), at(-40))


def test_what_overlaps_lies_in_lanes() -> None:
    assert lanes([(at(0), at(5)), (at(1), at(2)), (at(2), at(9)), (at(6), at(7)), (at(7), at(8))]) == [0, 1, 1, 0, 0]


def test_how_many_worked_at_once_is_counted_over_time() -> None:
    found = crowd([(at(0), at(5)), (at(1), at(2)), (at(2), at(9))], at(0), at(10), 10)
    assert found.parts == (1, 2, 2, 2, 2, 1, 1, 1, 1, 0)
    assert (found.most, found.average) == (2, 1.3)
    assert crowd([(at(-9), at(20))], at(0), at(10), 2).parts == (1, 1)
    assert crowd([], at(0), at(0)).most == 0


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), max_size=30))
def test_the_average_is_the_work_over_the_time(spans: list[tuple[float, float]]) -> None:
    found = crowd([(at(a), at(a + b)) for a, b in spans], at(0), at(120))
    assert found.average * 120 == pytest.approx(sum(b for _, b in spans), abs=0.01)
    assert found.most == max(found.parts)
    assert found.average <= found.most + 1e-9


def test_the_earliest_start_is_when_the_last_of_what_it_waits_for_ends() -> None:
    minutes = {"a": 5.0, "b": 10.0, "c": 1.0, "d": 2.0}
    edges = [("a", "c"), ("b", "c"), ("c", "d")]
    assert earliest(minutes, edges) == {"a": 0.0, "b": 0.0, "c": 10.0, "d": 11.0}
