"""The bad agents of reliability.md 4A at a size that fits into a test run; `make chaos` runs them whole."""

from __future__ import annotations

import pytest

from tests.chaos.behaviour import BEHAVIOUR, SIZES
from tests.chaos.rows import CI, chosen_seed
from tests.chaos.stacks import Stack


@pytest.mark.parametrize("test", BEHAVIOUR)
def test_no_agent_can_stop_a_run_or_be_heard_twice_however_it_behaves(quick: Stack, test: str) -> None:
    row = BEHAVIOUR[test](quick, SIZES[test][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
