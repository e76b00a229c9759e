"""The kills and the bad agents of reliability.md 4A at a size for a test run; `make chaos` runs them whole."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.chaos import behaviour, kills
from tests.chaos.behaviour import BEHAVIOUR
from tests.chaos.kills import KILLS
from tests.chaos.rows import CI
from tests.chaos.stacks import Stack, running

NAMED_SEED = "CLAW_CHAOS_SEED"


def chosen() -> int:
    seed = int(os.environ.get(NAMED_SEED) or random.SystemRandom().randrange(1_000_000))
    print(f"{NAMED_SEED}={seed}")
    return seed


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One installation of all servers; whatever is killed in it, it has to get over."""
    with running("servers") as whole:
        yield whole


@pytest.fixture(scope="module")
def quick() -> Iterator[Stack]:
    """The same with deadlines that come soon."""
    with running("servers", CLAWGROUPS_CLOCK_SCALE=str(behaviour.QUICK)) as whole:
        yield whole


@pytest.mark.parametrize("test", KILLS)
def test_nothing_is_lost_doubled_or_done_again_when_something_is_killed(stack: Stack, test: str) -> None:
    row = KILLS[test](stack, kills.SIZES[test][CI], chosen())
    print(row.line())
    assert row.passed, row.complaint()


@pytest.mark.parametrize("test", BEHAVIOUR)
def test_no_agent_can_stop_a_run_or_be_heard_twice_however_it_behaves(quick: Stack, test: str) -> None:
    row = BEHAVIOUR[test](quick, behaviour.SIZES[test][CI], chosen())
    print(row.line())
    assert row.passed, row.complaint()
