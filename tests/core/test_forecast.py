"""What a plan is expected to take: nothing is made up, and more helpers never make it longer than the path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.course import Done, course
from clawgroups.core.forecast import ASSUMED, Helper, Known, forecast, read_forecast, typical_minutes
from clawgroups.core.plan import PlanTask


def task(key: str, *parents: str, **more: Any) -> PlanTask:
    return PlanTask(key=key, title=key.upper(), depends_on=parents, **more)


PLAN = (
    task("north", minutes=10, skills=["data"]),
    task("south", minutes=20, skills=["data"]),
    task("report", "north", "south", minutes=5, skills=["writing"]),
)
COUNTER = Helper("Counter", "counter", {"data": 5})
SCRIBE = Helper("Scribe", "scribe", {"writing": 3})


@pytest.mark.parametrize(
    ("helpers", "wall", "at_once", "on"),
    [
        ([COUNTER, SCRIBE], 35.0, 1, 1),
        ([Helper("Counter", "counter", {"data": 5}, capacity=2), SCRIBE], 25.0, 2, 1),
        ([COUNTER, Helper("Abacus", "abacus", {"data": 2}), SCRIBE], 25.0, 2, 2),
        # Both of its sessions are in use for as long as a task usually takes.
        ([Helper("Counter", "counter", {"data": 5}, capacity=2, busy=2), SCRIBE], 35.0, 0, 0),
        # Who is away does not count while somebody is there.
        ([COUNTER, Helper("Abacus", "abacus", {"data": 5}, away="is offline"), SCRIBE], 35.0, 1, 1),
        # What nobody can do does not hold the forecast up; it is named.
        ([COUNTER], 35.0, 1, 1),
        ([], 25.0, 0, 0),
    ],
)
def test_the_time_depends_on_who_is_there(helpers: list[Helper], wall: float, at_once: int, on: int) -> None:
    found = forecast(PLAN, helpers)
    assert (found.path, found.path_minutes, found.work_minutes) == (("south", "report"), 25.0, 35.0)
    assert (found.wall_minutes, found.at_once, found.on) == (wall, at_once, on)
    assert found.breadth == 35 / 25


@pytest.mark.parametrize(
    ("helpers", "who", "reason"),
    [
        ([COUNTER, SCRIBE], "Scribe", "writing at level 3 of 5"),
        ([COUNTER], "", "nobody has the skill writing"),
        ([], "", "nobody has the skill data"),
        ([COUNTER, Helper("Scribe", "s", {"writing": 5}, away="is offline")], "Scribe", "level 5 of 5; is offline"),
    ],
)
def test_the_weakest_match_is_named_with_the_reason(helpers: list[Helper], who: str, reason: str) -> None:
    weak = forecast(PLAN, helpers).weakest
    assert weak is not None
    assert weak.who == who
    assert reason in weak.reason


def test_nobody_is_weak_where_everybody_fits_well() -> None:
    best = Helper("All", "all", {"data": 5, "writing": 5}, capacity=3)
    assert forecast(PLAN, [best]).weakest is None
    assert forecast(PLAN, [best]).nobody == ()
    assert forecast(PLAN, [COUNTER]).nobody == ("report",)


def test_minutes_come_from_the_plan_else_from_earlier_work_else_they_are_said_to_be_assumed() -> None:
    plan = (task("a", minutes=3), task("b", skills=["data"]), task("c", skills=["data", "writing"]), task("d"))
    known = Known({"data": 4.0, "writing": 6.0})
    found = forecast(plan, [COUNTER], known)
    assert found.minutes == {"a": 3.0, "b": 4.0, "c": 6.0, "d": ASSUMED}
    assert found.sources == {"a": "estimate", "b": "history", "c": "history", "d": "guess"}
    assert found.guessed == 1
    assert (found.tokens, found.cost_micro) == (None, None)
    assert forecast(plan, [COUNTER], Known(tokens=1000.4)).tokens == 4002


def test_what_is_typical_is_the_median_by_skill() -> None:
    done = [(["data"], 2.0), (["data", "writing"], 8.0), (["data"], 3.0)]
    assert typical_minutes(done) == {"": 3.0, "data": 3.0, "writing": 8.0}
    assert typical_minutes([]) == {}


def test_a_forecast_is_the_same_when_it_was_stored_and_a_large_one_leaves_out_the_single_tasks() -> None:
    found = forecast(PLAN, [COUNTER])
    assert read_forecast(found.as_json()) == found
    assert read_forecast({}) is None
    large = read_forecast(forecast([task(f"t{n}") for n in range(500)], [COUNTER]).as_json())
    assert large is not None
    assert (large.tasks, large.minutes, large.guessed) == (500, {}, 500)


def test_of_a_long_path_and_of_many_that_nobody_can_do_a_part_is_stored_with_the_number() -> None:
    chain = [task(f"t{n}", *[f"t{n - 1}"] * bool(n), skills=("alchemy",)) for n in range(500)]
    found = forecast(chain, [COUNTER])
    assert (len(found.path), found.path_tasks, len(found.nobody), found.nobody_tasks) == (500, 500, 500, 500)
    stored = read_forecast(found.as_json())
    assert stored is not None
    assert (stored.path, stored.path_tasks) == (found.path[:200], 500)
    assert (stored.nobody, stored.nobody_tasks) == (found.nobody[:200], 500)
    # One that was stored before the numbers were.
    old = {k: v for k, v in forecast(PLAN, []).as_json().items() if not k.endswith("_tasks")}
    assert read_forecast(old) == forecast(PLAN, [])


@given(st.data())
def test_no_number_of_helpers_beats_the_longest_path_and_none_is_slower_than_one_after_another(
    data: st.DataObject,
) -> None:
    number = data.draw(st.integers(1, 12))
    plan = []
    for n in range(number):
        parents = data.draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set()
        plan.append(task(f"t{n}", *(f"t{p}" for p in sorted(parents)), minutes=data.draw(st.integers(1, 30))))
    helpers = [Helper(f"h{n}", f"h{n}", {}, capacity=data.draw(st.integers(1, 3))) for n in range(3)]
    found = forecast(plan, helpers[: data.draw(st.integers(1, 3))])
    assert found.path_minutes <= found.wall_minutes <= found.work_minutes
    assert sum(found.minutes[key] for key in found.path) == found.path_minutes
    assert 1 <= found.at_once <= number


def test_a_run_is_held_against_its_forecast() -> None:
    foreseen = forecast(PLAN, [COUNTER, SCRIBE])
    done = [
        Done("1", "north", "North", "done", (), 30.0, 2),
        Done("2", "south", "South", "done", (), 10.0, 1),
        Done("3", "report", "Report", "working", ("north", "south"), None, 1),
    ]
    found = course(foreseen, done, elapsed=42.0, tokens=None, cost_micro=None)
    assert {line.name: (line.expected, line.actual) for line in found.lines} == {
        "time": (35.0, 42.0),
        "work": (35.0, 40.0),
        "path": (25.0, 30.0),
        "tasks": (3, 3),
        "tries": (3, 4),
        "tokens": (None, None),
        "cost": (None, None),
    }
    assert found.lines[0].share == 120
    assert found.path == ("North",)
    assert [one.over for one in found.tasks] == [20.0, -10.0, 0.0]


def test_of_many_tasks_those_that_were_furthest_off_are_shown() -> None:
    plan = [task(f"t{n}", minutes=10) for n in range(100)]
    done = [Done(str(n), f"t{n}", f"T{n}", "done", (), 10.0 + n, 1) for n in range(100)]
    found = course(forecast(plan, []), done, elapsed=1.0, tokens=5, cost_micro=7)
    assert (found.tasks[0].done.key, len(found.tasks), found.left_out) == ("t99", 60, 40)
