"""What the coordinator costs does not grow with a run's steps. At full size: `python -m bench.coordinator_cost`."""

from __future__ import annotations

import pytest

from clawgroups.models import Task
from tests.conftest import Team
from tests.coordinator.long_run import LongRun

pytestmark = pytest.mark.django_db

AGENTS = 20
STEPS = 100


def test_prompts_and_queries_a_step_stay_flat_however_many_steps_were_done(team: Team) -> None:
    long = LongRun(team, AGENTS, STEPS)
    turns = list(long.rounds())
    assert Task.objects.filter(run=long.run, state="done").count() == STEPS
    full = [turn for turn in turns if turn.steps == turns[0].steps]
    assert len(full) >= 4
    for kind in ("judge", "plan"):
        sizes = [turn.prompts[kind] for turn in full]
        assert max(sizes) <= sizes[0] * 1.05, (kind, sizes)
    # In the first one everybody is given a task twice, in the last one nobody is given another.
    queries = [turn.queries / turn.steps for turn in full[1:-1]]
    assert max(queries) <= min(queries) * 1.05, queries
