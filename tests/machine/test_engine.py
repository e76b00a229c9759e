"""T23: whatever happens in whatever order, the invariants hold after every step. `python -m tests.machine` for more."""

from __future__ import annotations

import random

import pytest

from tests.conftest import Team
from tests.machine.engine import Engine, run

EXAMPLES, STEPS = 25, 30


@pytest.mark.django_db
def test_whatever_happens_in_whatever_order_everything_holds_after_every_step(team: Team) -> None:
    Engine.team = team
    seed = random.SystemRandom().randrange(2**32)
    print(f"python -m tests.machine --examples {EXAMPLES} --steps {STEPS} --seed {seed}")
    run(examples=EXAMPLES, steps=STEPS, seed=seed)
