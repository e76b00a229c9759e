"""Each rule notices exactly what it is there for, in a world in which everything else is right."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clawgroups.core.invariants import (
    RULES,
    ActiveRun,
    Allowance,
    Kind,
    OpenApproval,
    OpenAttempt,
    OpenTask,
    Owed,
    World,
    breaches,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=5)
LONG_AGO = NOW - timedelta(minutes=5)
RUN, TASK, LATER, ATTEMPT, ASKED, AGENT = (UUID(int=n) for n in range(1, 7))

WORKING = OpenTask(
    id=TASK,
    run_id=RUN,
    title="Write",
    run_state="running",
    paused=False,
    state="working",
    epoch=3,
    waiting_on=0,
    parents_open=0,
    blocked_on="agent",
    next_actor="Scribe",
    deadline=SOON,
    effect="it is taken back",
    attempt_id=ATTEMPT,
    has_assignee=True,
    member_left=False,
)
WAITING = replace(
    WORKING,
    id=LATER,
    title="Review",
    state="waiting",
    waiting_on=1,
    parents_open=1,
    blocked_on="outside",
    attempt_id=None,
    has_assignee=False,
)
TRY = OpenAttempt(
    id=ATTEMPT,
    task_id=TASK,
    run_id=RUN,
    title="Write",
    state="working",
    epoch=3,
    contact="live",
    of_agent=True,
    task_state="working",
    task_epoch=3,
    is_current=True,
    deadline=SOON,
)
QUESTION = OpenApproval(ASKED, TASK, RUN, "Write", SOON, "working", 3, 3)
ACTIVE = ActiveRun(
    id=RUN,
    goal="Goal",
    state="running",
    paused=False,
    start_when_planned=False,
    has_author=True,
    open_tasks=2,
    wanted=4,
    turned=4,
    held_until=None,
    unreacted=False,
)
WORLD = World((WORKING, WAITING), (TRY,), (QUESTION,), (ACTIVE,))


def test_a_world_in_order_has_no_breach() -> None:
    assert breaches(WORLD, NOW) == []
    assert breaches(World(), NOW) == []


def task(**changes: Any) -> World:
    return replace(WORLD, tasks=(replace(WORKING, **changes), WAITING))


def later(**changes: Any) -> World:
    return replace(WORLD, tasks=(WORKING, replace(WAITING, **changes)))


def attempt(**changes: Any) -> World:
    return replace(WORLD, attempts=(replace(TRY, **changes),))


def approval(**changes: Any) -> World:
    return replace(WORLD, approvals=(replace(QUESTION, **changes),))


def run(**changes: Any) -> World:
    return replace(WORLD, runs=(replace(ACTIVE, **changes),))


ONLY_WAITING = replace(WORLD, tasks=(WAITING,), attempts=(), approvals=(), runs=(replace(ACTIVE, open_tasks=1),))

WRONG: list[tuple[World, Kind]] = [
    (task(blocked_on=""), Kind.NO_NEXT_STEP),
    (task(next_actor=""), Kind.NO_NEXT_STEP),
    (later(deadline=None), Kind.NO_NEXT_STEP),
    (later(effect=""), Kind.NO_NEXT_STEP),
    (task(deadline=NOW - timedelta(seconds=16)), Kind.OVERDUE),
    (replace(WORLD, attempts=()), Kind.NO_ATTEMPT),
    (task(has_assignee=False), Kind.NO_ATTEMPT),
    (later(attempt_id=ATTEMPT), Kind.NO_ATTEMPT),
    (attempt(deadline=None), Kind.NO_CLOCK),
    (attempt(deadline=None, contact="lost"), Kind.NO_CLOCK),
    (task(member_left=True), Kind.MEMBER_GONE),
    (task(paused_by="ada"), Kind.PAUSED_IN_HAND),
    (later(waiting_on=2), Kind.WRONG_PARENTS),
    (task(waiting_on=1), Kind.WRONG_PARENTS),
    (later(waiting_on=0, parents_open=0), Kind.WRONG_PARENTS),
    (run(open_tasks=3), Kind.WRONG_TASKS),
    (approval(expires_at=None), Kind.BAD_APPROVAL),
    (approval(expires_at=LONG_AGO), Kind.BAD_APPROVAL),
    (approval(attempt_state="expired"), Kind.BAD_APPROVAL),
    (approval(task_epoch=4), Kind.BAD_APPROVAL),
    (approval(escalates_at=LONG_AGO), Kind.NOT_PASSED_ON),
    (approval(asked_of_unable=True), Kind.NOT_PASSED_ON),
    (ONLY_WAITING, Kind.STILL),
    (run(state="planning"), Kind.STILL),
    (run(state="consolidating"), Kind.STILL),
    (run(state="proposed", start_when_planned=True), Kind.STILL),
    (run(state="proposed", has_author=False), Kind.STILL),
    (run(wanted=5, wanting_since=NOW - timedelta(seconds=60)), Kind.OLD_TURN),
    (replace(WORLD, owed=(Owed(AGENT, "Scribe", 2),)), Kind.OWED_TO_NOBODY),
]


@pytest.mark.parametrize(("world", "kind"), WRONG, ids=[f"{n} {kind.name}" for n, (_, kind) in enumerate(WRONG)])
def test_one_thing_that_is_wrong_is_one_breach(world: World, kind: Kind) -> None:
    (found,) = breaches(world, NOW)
    assert found.kind is kind
    assert found.sentence.endswith(".")
    assert found.title


def test_an_attempt_of_another_epoch_is_stray_and_its_task_has_none() -> None:
    kinds = {breach.kind for breach in breaches(attempt(epoch=2), NOW)}
    assert kinds == {Kind.STRAY_ATTEMPT, Kind.NO_ATTEMPT}
    over = replace(WORLD, tasks=(), approvals=(), attempts=(replace(TRY, task_state="done"),), runs=())
    assert [breach.kind for breach in breaches(over, NOW)] == [Kind.STRAY_ATTEMPT]


def test_an_open_task_of_a_run_that_is_over_is_told() -> None:
    world = replace(task(run_state="failed"), runs=())
    assert Kind.RUN_OVER in {breach.kind for breach in breaches(world, NOW)}


FINE: list[World] = [
    task(deadline=NOW - timedelta(seconds=14)),
    later(deadline=LONG_AGO, run_state="proposed"),
    approval(escalates_at=NOW - timedelta(seconds=14)),
    run(paused=True),
    run(state="proposed"),
    run(state="planning", wanted=5),
    run(state="planning", unreacted=True),
    run(state="planning", held_until=SOON, wanted=5, wanting_since=LONG_AGO),
    run(wanted=5, wanting_since=NOW - timedelta(seconds=59)),
    replace(ONLY_WAITING, runs=(replace(ACTIVE, open_tasks=1, wanted=5),)),
    replace(WORLD, tasks=(replace(WORKING, state="held"), WAITING), attempts=(replace(TRY, task_state="held"),)),
]


@pytest.mark.parametrize("world", FINE, ids=range(len(FINE)))
def test_what_somebody_will_move_is_no_breach(world: World) -> None:
    assert breaches(world, NOW) == []


def test_after_we_were_away_nothing_is_late() -> None:
    away = Allowance(overdue=None)
    old_turn = run(wanted=5, wanting_since=LONG_AGO)
    for world in (task(deadline=LONG_AGO), approval(expires_at=LONG_AGO), old_turn):
        assert breaches(world, NOW)
        assert breaches(world, NOW, away) == []


def test_every_rule_is_in_the_table_of_wrongs_and_counts_are_said_in_words() -> None:
    assert {rule.__name__ for rule in RULES} == {
        "next_step", "on_time", "in_hands", "attempts", "members", "paused", "counts", "approvals", "moving", "turns",
        "owed",
    }  # fmt: skip
    assert Kind.NO_NEXT_STEP.counted(2) == "2 open tasks without a next step"
    assert Kind.STILL.counted(1) == "1 active run that nothing will move"
