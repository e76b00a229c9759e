"""The kills of reliability.md 4A at a size that fits into a test run; `make chaos` runs them whole."""

from __future__ import annotations

import pytest

from tests.chaos.kills import KILLS, SIZES
from tests.chaos.rows import CI, chosen_seed
from tests.chaos.stacks import Stack


@pytest.mark.parametrize("test", KILLS)
def test_nothing_is_lost_doubled_or_done_again_when_something_is_killed(stack: Stack, test: str) -> None:
    row = KILLS[test](stack, SIZES[test][CI], chosen_seed())
    print(row.line())
    assert row.passed, row.complaint()
