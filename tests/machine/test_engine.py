"""T23: whatever happens in whatever order, the invariants hold after every step. `python -m tests.machine` for more."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future
from unittest import mock

import pytest

from clawgroups import commit
from clawgroups.core.changes import Change, Count, Outcome
from clawgroups.models import Attempt, Task
from clawgroups.services import review, takeover
from tests.conftest import Team
from tests.machine import engine
from tests.machine.engine import Asking, Engine, Hands, run, walk

EXAMPLES, WALKS, STEPS = 5, 3, 30

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _room(team: Team) -> None:
    Engine.team = team


def chosen(more: str = "") -> int:
    seed = random.SystemRandom().randrange(2**31)
    print(f"python -m tests.machine --examples {EXAMPLES} --walks {WALKS} --steps {STEPS} --seed {seed}{more}")
    return seed


def test_whatever_happens_in_whatever_order_everything_holds_after_every_step() -> None:
    run(examples=EXAMPLES, steps=STEPS, seed=chosen())


def test_everything_holds_on_walks_that_go_everywhere() -> None:
    seed = chosen()
    for one in range(seed, seed + WALKS):
        walk(seed=one, steps=STEPS)


def test_a_task_is_in_one_hand_at_most_whatever_is_decided_at_the_same_moment() -> None:
    seed = chosen(" --hands")
    for one in range(seed, seed + WALKS):
        walk(seed=one, steps=STEPS, machine=Hands)


def test_a_question_ends_once_and_as_a_person_or_a_rule_says_whatever_is_decided_at_the_same_moment() -> None:
    seed = chosen(" --asking")
    for one in range(seed, seed + WALKS):
        walk(seed=one, steps=STEPS, machine=Asking)


def test_what_only_the_writer_wrote_is_looked_at_on_either_database() -> None:
    one = Engine()
    try:
        one.first_run(plan=0)
        one.everything_holds()
        submit = commit.submit
        with mock.patch.object(commit, "submit", lambda change: watched(one, change, submit)):
            one.acts.new_run(1, start=False)
        assert one.wrote
    finally:
        one.teardown()


def watched(one: Engine, change: Change, submit: Callable[[Change], Future[Outcome]]) -> Future[Outcome]:
    """Hand a change over where nothing else writes."""
    with one.watching():
        return submit(change)


def forgetful(attempt: Attempt) -> str:
    return ""


def test_a_takeover_that_loses_what_was_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SHORTENING", 0.0)
    with mock.patch.object(takeover, "text_to_go_on_with", forgetful):
        found = next(fault for seed in range(100) if (fault := fault_of(seed, Hands)))
    assert "begins with ''" in found


def uncounted(task: Task) -> Count:
    return Count("clawgroups.Run", task.run_id, "open_tasks", 0)


def test_a_verb_that_forgets_a_counter_is_found_and_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SHORTENING", 0.0)
    with mock.patch.object(review, "closed", uncounted):
        found = next(fault for seed in range(100) if (fault := fault_of(seed)))
    assert "WRONG_TASKS" in found
    assert " of 30 steps, plan " in found


def fault_of(seed: int, machine: type[Engine] = Engine) -> str:
    try:
        walk(seed=seed, steps=STEPS, machine=machine)
    except AssertionError as fault:
        return str(fault)
    return ""
