"""The pure core under some hundred seeds; `python -m tests.machine --pure N` plays as many as one likes."""

from __future__ import annotations

import random

import pytest

from clawgroups.core.actors import SYSTEM
from clawgroups.core.changes import Change, Update
from clawgroups.core.lifecycle import TASK_MOVES, TaskVerb
from tests.machine.pure import DECIDE, TASK, World, play, wrong

SEEDS = 300


def test_the_pure_core_holds_under_many_seeds() -> None:
    first = random.SystemRandom().randrange(2**31)
    for seed in range(first, first + SEEDS):
        play(seed)


def test_every_verb_of_a_task_is_played_but_those_that_need_a_coordinator() -> None:
    verbs = {verb for _, verb in TASK_MOVES}
    assert verbs - set(DECIDE) == {TaskVerb.UNBLOCK, TaskVerb.SPLIT}


@pytest.mark.parametrize("change", [{"epoch": -1}, {"state": "done"}, {"waiting_on": 9}, {"holder": "ada"}])
def test_a_world_that_was_tampered_with_is_noticed(change: dict[str, object]) -> None:
    world, said = World(), {"t0": ("ready", 0)}
    world.begin(random.Random(1))
    assert wrong(world, said) == []
    assert world.apply(Change(SYSTEM, writes=(Update(TASK, "t0", change),)))
    assert wrong(world, said)
