"""The bad agents of reliability.md 4A at a size that fits into a test run; `make chaos` runs them whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.behaviour import BEHAVIOUR, QUICK, SIZES
from tests.chaos.rows import CI, chosen_seed
from tests.chaos.stacks import Stack, running


@pytest.fixture(scope="module")
def quick() -> Iterator[Stack]:
    """All servers, with deadlines that come soon."""
    with running("servers", CLAWGROUPS_CLOCK_SCALE=str(QUICK)) as whole:
        yield whole


@pytest.mark.parametrize("test", BEHAVIOUR)
def test_no_agent_can_stop_a_run_or_be_heard_twice_however_it_behaves(quick: Stack, test: str) -> None:
    row = BEHAVIOUR[test](quick, SIZES[test][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
