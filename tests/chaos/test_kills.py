"""The kills of reliability.md 4A at a size that fits into a test run; `make chaos` runs them whole."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.chaos.kills import KILLS, SIZES
from tests.chaos.rows import CI
from tests.chaos.stacks import Stack, running

NAMED_SEED = "CLAW_CHAOS_SEED"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One installation of all servers; whatever is killed in it, it has to get over."""
    with running("servers") as whole:
        yield whole


@pytest.mark.parametrize("test", KILLS)
def test_nothing_is_lost_doubled_or_done_again_when_something_is_killed(stack: Stack, test: str) -> None:
    seed = int(os.environ.get(NAMED_SEED) or random.SystemRandom().randrange(1_000_000))
    print(f"{NAMED_SEED}={seed}")
    row = KILLS[test](stack, SIZES[test][CI], seed)
    print(row.line())
    assert row.passed, row.complaint()
